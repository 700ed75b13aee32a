"""What a run of ingestion did, and who is told while it runs."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

from ingest.unpack.opened import Failure

_KNOWN_FROM_S = 60.0
_KNOWN_FROM_SHARE = 0.05

Outcome = Literal["added", "changed", "unchanged", "removed", "failed"]


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
    pages: int = 0
    """Pages read in this run, of formats that have pages."""
    embedded: int = 0
    """Chunks whose vectors had to be computed; the others were known already."""
    seconds: float = 0.0
    stale: int = 0
    """Unchanged documents that an older version of the parser or chunker made."""
    withheld: str = ""
    """Why files that are gone from a synced source were not removed; empty where they were."""
    job: int = 0
    """The job in the catalog that this was."""
    kept: tuple[str, ...] = ()
    """Documents that are not shown to those whom the run named, since others were chosen for them by hand."""

    @property
    def ingested(self) -> int:
        """Documents that are in after this run because of its paths."""
        return self.added + self.changed + self.unchanged


class Watcher(Protocol):
    """Somebody who is told how a run goes, one call at a time."""

    def found(self, files: int, bytes: int = 0) -> None:
        """All files that are to be read are known now, and their sizes together."""

    def started(self, source: str, size: int) -> None:
        """A worker begins to read a file of so many bytes."""

    def read(self, source: str, pages: int) -> None:
        """A file was read, which has so many pages, 0 where its format has none; it waits to be embedded now."""

    def file_done(self, source: str, outcome: Outcome, reason: str = "") -> None:
        """One file has its outcome."""

    def embedded(self, chunks: int) -> None:
        """So many more chunks have their vectors."""


def seconds_left(done: int, total: int, seconds: float) -> float | None:
    """How long the rest of a run takes, of which `done` (files or bytes) took so many seconds; None while it can't be
    told: within the first minute before a twentieth is done, since the first files wait for their readers."""
    if not total or not done or (seconds < _KNOWN_FROM_S and done < _KNOWN_FROM_SHARE * total):
        return None
    return seconds * max(0, total - done) / done


class Recorder(Protocol):
    """Somebody who writes down what became of each file."""

    def file_done(self, source: str, outcome: str, reason: str = "", *, passing: bool = False) -> None:
        """One file has its outcome; `passing`: whether trying again makes sense."""


@dataclass(slots=True)
class Tally:
    """The report while it grows. Told from the parsing and the embedding thread; tells its watcher one at a time."""

    watcher: Watcher | None = None
    recorder: Recorder | None = None
    counts: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(get_args(Outcome), 0))
    old: int = 0
    failures: list[Failure] = field(default_factory=list)
    skipped: list[Failure] = field(default_factory=list)
    chunks: int = 0
    embedded: int = 0
    pages: int = 0
    kept: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def file_done(self, source: str, outcome: Outcome, reason: str = "", *, passing: bool = False) -> None:
        with self._lock:
            if self.recorder:
                self.recorder.file_done(source, outcome, reason, passing=passing)
            self.counts[outcome] += 1
            if outcome == "failed":
                self.failures.append(Failure(source, reason))
            if self.watcher:
                self.watcher.file_done(source, outcome, reason)

    def started(self, source: str, size: int) -> None:
        with self._lock:
            if self.watcher:
                self.watcher.started(source, size)

    def read(self, source: str, pages: int) -> None:
        with self._lock:
            self.pages += pages
            if self.watcher:
                self.watcher.read(source, pages)

    def wrote(self, chunks: int, embedded: int) -> None:
        with self._lock:
            self.chunks += chunks
            self.embedded += embedded
            if self.watcher:
                self.watcher.embedded(chunks)

    def stale(self, documents: int = 1) -> None:
        """So many unchanged documents were made by an older version of the parser or chunker."""
        with self._lock:
            self.old += documents

    def keep(self, source: str) -> None:
        """A document keeps the groups that were chosen for it by hand, and not those that the run named."""
        with self._lock:
            self.kept.append(source)

    def forget(self, sources: Collection[str]) -> None:
        """Take back the failures of files that are tried again."""
        with self._lock:
            kept = [failure for failure in self.failures if failure.source not in sources]
            self.counts["failed"] -= len(self.failures) - len(kept)
            self.failures = kept

    def report(self, seconds: float) -> IngestReport:
        return IngestReport(
            added=self.counts["added"],
            changed=self.counts["changed"],
            unchanged=self.counts["unchanged"],
            removed=self.counts["removed"],
            failed=tuple(self.failures),
            skipped=tuple(self.skipped),
            chunks=self.chunks,
            pages=self.pages,
            embedded=self.embedded,
            seconds=seconds,
            stale=self.old,
            kept=tuple(self.kept),
        )


def merged(reports: Sequence[IngestReport]) -> IngestReport:
    """Several runs told as one."""
    return IngestReport(
        added=sum(report.added for report in reports),
        changed=sum(report.changed for report in reports),
        unchanged=sum(report.unchanged for report in reports),
        removed=sum(report.removed for report in reports),
        failed=tuple(failure for report in reports for failure in report.failed),
        skipped=tuple(skipped for report in reports for skipped in report.skipped),
        chunks=sum(report.chunks for report in reports),
        pages=sum(report.pages for report in reports),
        embedded=sum(report.embedded for report in reports),
        seconds=round(sum(report.seconds for report in reports), 3),
        stale=sum(report.stale for report in reports),
        withheld=" ".join(report.withheld for report in reports if report.withheld),
        job=reports[-1].job if reports else 0,
        kept=tuple(source for report in reports for source in report.kept),
    )
