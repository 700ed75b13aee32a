"""What the catalog gives and takes: frozen rows, apart from the tables that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

DocumentState = Literal["live", "failed"]
JobState = Literal["waiting", "running", "finished", "failed", "interrupted", "cancelled"]
JobKind = Literal["ingest", "sync", "stale", "retry"]
FileAction = Literal["new", "changed", "moved", "gone", "unchanged", "unreadable"]
FileState = Literal["planned", "done", "failed"]
MEMBER = "!/"
"""Between a container's source and the name of what lies in it."""


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document as the catalog knows it.

    "live" documents are searchable at `revision`; "failed" ones never were, and have revision 0. `reason` says why
    the newest version of the file is not in; a live document with a reason still answers from the version before.
    """

    id: str
    collection: str
    source: str
    revision: int
    sha256: str
    """Of the original bytes, 64 hex digits; empty where a failed file was never kept."""
    size: int
    """Of the original, in bytes."""
    title: str
    file_type: str
    """Lower-case extension without the dot."""
    chunks: int
    groups: frozenset[str]
    parser: str = ""
    parser_version: str = ""
    modified: datetime | None = None
    """When the file was last written, UTC."""
    dated: datetime | None = None
    """The date the document gives itself, UTC."""
    language: str | None = None
    pages: int | None = None
    state: DocumentState = "live"
    reason: str = ""
    passing: bool = False
    """Whether the reason may pass by itself (network, lock, memory), or an admin may mend it without touching the file
    (rights, a limit of the settings), so that the next run looks again."""
    origin: str = ""
    """The name of the source that is synced and brought it; empty where somebody ingested it by hand."""
    fingerprint: str = ""
    """What told the newest version of the file apart from others before its bytes were read; empty where unknown."""
    container: str = ""
    """The id of the document (a mail, an archive) that holds it; empty for a file of its own."""
    added: datetime | None = None
    """When it first went live, UTC; set by the catalog, like `changed`."""
    changed: datetime | None = None


@dataclass(frozen=True, slots=True)
class JobRow:
    """One run of something that changes what is in."""

    id: int
    kind: JobKind
    command: str
    origin: str
    request: Mapping[str, Any]
    started: datetime
    ended: datetime | None
    state: JobState
    added: int
    changed: int
    unchanged: int
    removed: int
    failed: int
    chunks: int
    seconds: float
    reason: str = ""
    """Why it failed as a whole, or kept what is gone from its source, in one sentence; mostly empty."""
    kept: int = 0
    """Documents that it was to show to others, and that are shown as was chosen by hand."""


@dataclass(frozen=True, slots=True)
class JobFile:
    """One file of a job: what is to be done with it, and what became of it."""

    source: str
    action: FileAction
    locator: bytes = b""
    fingerprint: str = ""
    size: int = 0
    groups: frozenset[str] | None = None
    state: FileState = "planned"
    outcome: str = ""
    reason: str = ""
    passing: bool = False
    replaces: str = ""
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class OriginRow:
    """A source that is synced."""

    name: str
    url: str
    collection: str = "default"
    groups: frozenset[str] = frozenset()
    rules: tuple[tuple[str, frozenset[str]], ...] = ()
    """(pattern, groups) by path below the source; the last that matches says who may see a file."""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """What is in: live documents, their chunks and the bytes of their originals; files that are not in, or stale."""

    documents: int
    chunks: int
    bytes: int
    failed: int


class JobReport(Protocol):
    """What a job reports at its end, as ingestion counts it."""

    @property
    def added(self) -> int: ...
    @property
    def changed(self) -> int: ...
    @property
    def unchanged(self) -> int: ...
    @property
    def removed(self) -> int: ...
    @property
    def chunks(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def withheld(self) -> str: ...
    @property
    def kept(self) -> Sequence[str]: ...
