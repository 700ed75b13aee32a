"""Which kind of source a URL names; nothing below imports it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ingest.origins.origin import Origin
from ingest.origins.pathrules import PathRules
from ingest.origins.patterns import Selection
from ingest.origins.protected import Protected
from ingest.origins.store import Store
from ragapp.errors import SourceUnavailable


def open_origin(
    url: str,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    rules: PathRules | None = None,
    scratch: Path,
    protected: Protected | None = None,
) -> Origin:
    """The source that a URL or a path names, looked at once.

    `include` and `exclude` are patterns (`ingest.origins.patterns`), `rules` say who may see what; what is fetched
    lies below `scratch` for as long as it is used; what is `protected` is not read. Raises SourceUnavailable in one
    sentence: unknown scheme, package missing, no such root, no rights, no credentials, host not reached within
    seconds. An empty root is none of these.
    """
    selection, rules = Selection(tuple(include), tuple(exclude)), rules or PathRules()
    scheme, _, rest = url.partition("://")
    if not rest and not url.endswith("://"):
        scheme, rest = "file", url
    if scheme in ("file", "local"):
        from ingest.origins.folder import Folder

        return Folder(Path(rest), selection, rules, protected)
    if "::" in url:
        raise SourceUnavailable("A source is one plain URL; chains with :: are not taken.")
    _refuse_secrets(url)
    from ingest.origins.remote import Remote

    return Remote(open_store(scheme, url), selection, rules, scratch, protected=protected)


def _refuse_secrets(url: str) -> None:
    try:
        secret = urlsplit(url).password
    except ValueError:
        raise SourceUnavailable(
            "The address of the source is no URL; write it as s3://bucket/folder, for example."
        ) from None
    if secret is not None:
        raise SourceUnavailable(
            "The address holds a password, which would be stored; leave it out and put credentials where the library "
            "looks: AWS_* variables or ~/.aws for S3, ~/.ssh/config or ssh-agent for SFTP."
        )


def open_store(scheme: str, url: str) -> Store:
    """The store of a URL, looked at once. Raises SourceUnavailable."""
    if scheme == "s3":
        from ingest.origins.s3 import S3

        return S3(url)
    if scheme in ("sftp", "ssh"):
        from ingest.origins.sftp import Sftp

        return Sftp(url)
    from ingest.origins.filesystem import FileSystem

    return FileSystem(scheme, url)
