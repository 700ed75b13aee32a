"""Where documents come from: what every kind of source offers, and what it lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

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
