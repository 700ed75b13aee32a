"""What the catalog gives and takes: frozen rows, apart from the tables that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

DocumentState = Literal["live", "failed"]
RunState = Literal["running", "finished", "failed", "interrupted"]


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
    added: datetime | None = None
    """When it first went live, UTC; set by the catalog, like `changed`."""
    changed: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run of a command that changes what is in."""

    id: int
    command: str
    started: datetime
    ended: datetime | None
    state: RunState
    added: int
    changed: int
    unchanged: int
    removed: int
    failed: int
    chunks: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Totals:
    """What is in: live documents, their chunks and the bytes of their originals; files that are not in, or stale."""

    documents: int
    chunks: int
    bytes: int
    failed: int


class FailedFile(Protocol):
    """One file that a run could not take in."""

    @property
    def source(self) -> str: ...
    @property
    def reason(self) -> str: ...


class RunReport(Protocol):
    """What a run reports at its end, as ingestion counts it."""

    @property
    def added(self) -> int: ...
    @property
    def changed(self) -> int: ...
    @property
    def unchanged(self) -> int: ...
    @property
    def removed(self) -> int: ...
    @property
    def failed(self) -> Sequence[FailedFile]: ...
    @property
    def chunks(self) -> int: ...
    @property
    def seconds(self) -> float: ...
