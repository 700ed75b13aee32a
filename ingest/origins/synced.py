"""What the row of a synced source says of a document: where it lies in it, and who may see it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from ingest.origins.pathrules import PathRules
from ingest.origins.walk import printable
from ragapp.catalog.rows import OriginRow


def absolute(path: str) -> str:
    """A path of this machine as the catalog has it."""
    return printable(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - resolve() would rename what a link is called


def root_of(origin: OriginRow) -> str:
    """What the sources of all documents of a synced source begin with, without a slash at its end."""
    scheme, _, rest = origin.url.partition("://")
    if scheme == "file" or not rest:
        return absolute(rest or origin.url).rstrip("/")
    if scheme in ("sftp", "ssh"):
        # as ingest.origins.sftp names it: without the user
        asked = urlsplit(origin.url)
        place = f"{asked.hostname}:{asked.port}" if asked.port else asked.hostname
        return f"sftp://{place}/{rest.partition('/')[2].strip('/')}".rstrip("/")
    # what follows a "?" says how a store is reached
    return origin.url.partition("?")[0].rstrip("/")


def path_within(origin: OriginRow, source: str) -> str | None:
    """The path of a document below a synced source; None where it doesn't lie there."""
    root = f"{root_of(origin)}/"
    return source.removeprefix(root) if source.startswith(root) else None


def shown_to(origin: OriginRow, source: str, listed: frozenset[str] | None = None) -> frozenset[str]:
    """Who may see a document of a synced source, by its rules and groups; `listed` where it was listed for them under
    an address that the source has no more."""
    return rule_of(origin, source, listed) or origin.groups


def rule_of(origin: OriginRow, source: str, listed: frozenset[str] | None = None) -> frozenset[str] | None:
    """Who may see it by the source's rules alone, or `listed` where it doesn't lie in the source; None where nothing
    says so."""
    path = path_within(origin, source)
    return listed if path is None else PathRules(origin.rules).groups(path)


def ruled(origin: OriginRow, source: str) -> bool:
    """Whether one of a source's rules by path speaks of this document."""
    return rule_of(origin, source) is not None
