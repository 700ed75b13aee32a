"""What a run of ingestion did, and who is told while it runs."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Literal, Protocol

Outcome = Literal["added", "changed", "unchanged", "failed"]


@dataclass(frozen=True, slots=True)
class Failure:
    """One file that is not in, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Counts of documents by what became of them; every file that was found is in exactly one of them."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: tuple[Failure, ...] = ()
    skipped: tuple[Failure, ...] = ()
    """Left out on purpose: hidden files, links, folders given twice."""
    chunks: int = 0
    """Chunks written in this run."""
    embedded: int = 0
    """Chunks whose vectors had to be computed; the others were known already."""
    seconds: float = 0.0

    @property
    def ingested(self) -> int:
        """Documents that are in after this run because of its paths."""
        return self.added + self.changed + self.unchanged


class Watcher(Protocol):
    """Somebody who is told how a run goes, one call at a time."""

    def found(self, files: int) -> None:
        """All files are known now."""

    def file_done(self, source: str, outcome: Outcome, reason: str = "") -> None:
        """One file has its outcome."""

    def embedded(self, chunks: int) -> None:
        """So many more chunks have their vectors."""


@dataclass(slots=True)
class Tally:
    """The report while it grows. Told from the parsing and the embedding thread; tells its watcher one at a time."""

    watcher: Watcher | None = None
    counts: dict[Outcome, int] = field(default_factory=lambda: {"added": 0, "changed": 0, "unchanged": 0, "failed": 0})
    failures: list[Failure] = field(default_factory=list)
    skipped: list[Failure] = field(default_factory=list)
    chunks: int = 0
    embedded: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def file_done(self, source: str, outcome: Outcome, reason: str = "") -> None:
        with self._lock:
            self.counts[outcome] += 1
            if outcome == "failed":
                self.failures.append(Failure(source, reason))
            if self.watcher:
                self.watcher.file_done(source, outcome, reason)

    def wrote(self, chunks: int, embedded: int) -> None:
        with self._lock:
            self.chunks += chunks
            self.embedded += embedded
            if self.watcher:
                self.watcher.embedded(chunks)

    def report(self, seconds: float) -> IngestReport:
        return IngestReport(
            added=self.counts["added"],
            changed=self.counts["changed"],
            unchanged=self.counts["unchanged"],
            failed=tuple(self.failures),
            skipped=tuple(self.skipped),
            chunks=self.chunks,
            embedded=self.embedded,
            seconds=seconds,
        )
