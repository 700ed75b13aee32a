"""Where documents come from: what every kind of source offers, and which kind a URL names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urlsplit

from ingest.pathrules import PathRules
from ingest.patterns import Selection
from ingest.protected import Protected
from ragapp.errors import SourceUnavailable

Stop = Callable[[], bool]
"""Whether whoever asked wants to end: what is not done yet is left."""


def never() -> bool:
    """Nobody stops it."""
    return False


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a source, known from its listing alone."""

    url: str
    """What it is called in the catalog: an absolute path, s3://bucket/key, sftp://host/path; no credentials."""
    locator: bytes
    """What its source finds it by: the path's own bytes."""
    size: int
    modified: datetime | None
    fingerprint: str
    """Changes when its bytes change; known without reading them."""
    groups: frozenset[str] | None = None
    """Who may see it; None for whoever may see the source."""


@dataclass(frozen=True, slots=True)
class NotListed:
    """Something that was left out: on purpose (hidden), or because it can't be read.

    A folder that can't be read is named by its own path, so that nobody takes the files below it for gone.
    """

    source: str
    reason: str
    failed: bool


class Wanted(Protocol):
    """What must be known of a file to fetch it: an Entry, or a row that was made of one."""

    @property
    def locator(self) -> bytes: ...
    @property
    def size(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...


class Origin(Protocol):
    """A source that can be listed and fetched from. Closed by leaving its context."""

    @property
    def url(self) -> str:
        """The root's name, without credentials or options."""

    def list(self) -> Iterator[Entry | NotListed]:
        """What there is now, as a stream. Raises SourceUnavailable where the listing breaks off: what was not seen by
        then is not gone."""

    def fetch(self, wanted: Wanted, stop: Stop = never) -> AbstractContextManager[Path]:
        """The bytes as a local file, as long as the context lasts.

        Raises PassingFault for what may be otherwise soon (network; changed since it was listed; stopped), Unreadable
        for one file that can't be had.
        """

    def digest(self, wanted: Wanted) -> str | None:
        """The SHA-256 of the bytes where it can be had without fetching them; tells a moved file from a new one."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


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

    `include` and `exclude` are patterns (`ingest.patterns`), `rules` say who may see what; what is fetched lies below
    `scratch` for as long as it is used; what is `protected` is not read. Raises SourceUnavailable in one sentence:
    unknown scheme, package missing, no such root, no rights, no credentials, host not reached within seconds. An empty
    root is none of these.
    """
    selection, rules = Selection(tuple(include), tuple(exclude)), rules or PathRules()
    scheme, _, rest = url.partition("://")
    if not rest and not url.endswith("://"):
        scheme, rest = "file", url
    if scheme in ("file", "local"):
        from ingest.folder import Folder

        return Folder(Path(rest), selection, rules, protected)
    if "::" in url:
        raise SourceUnavailable("A source is one plain URL; chains with :: are not taken.")
    _refuse_secrets(url)
    from ingest.remote import Remote, open_store

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
