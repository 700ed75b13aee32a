"""Hostile and broken files, good ones among them, through all of ingestion: what each comes to, and what it costs.

python -m benchmarks.hostile

The files are those of tests/ingest/hostile; the limits on time and memory are the default ones.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from runpy import run_path
from typing import Any

import psutil

from benchmarks.house import House, opened
from benchmarks.peaks import Peaks
from ingest.origins.walk import printable
from ingest.pipeline.report import IngestReport
from ragapp.access import LOCAL, scope
from ragapp.settings import IngestSettings

ROOT = Path(__file__).parent.parent
SET = run_path(str(ROOT / "tests" / "ingest" / "hostile" / "make_hostile.py"))
_IS_IN = {"good": {"live"}, "text": {"live"}, "reason": {"failed"}, "bomb": {"failed"}, "no file": {"skipped"}}
"""What a file may be after a run; one of another expectation is live or failed."""


@dataclass(frozen=True, slots=True)
class Run:
    """One ingest of the set."""

    report: IngestReport
    files: int
    seconds: float
    peaks: Peaks
    slowest: tuple[tuple[str, float], ...]
    """Of the files that took longest the names and seconds."""
    faults: tuple[str, ...]
    """What should not be so, in words."""


class Clock:
    """How long each file was read; told by a run as its watcher."""

    def __init__(self) -> None:
        self.began: dict[str, float] = {}
        self.took: dict[str, float] = {}

    def found(self, files: int, bytes: int = 0) -> None:
        """Nothing to note."""

    def started(self, source: str, size: int) -> None:
        self.began[source] = time.monotonic()

    def read(self, source: str, pages: int) -> None:
        """Nothing to note."""

    def file_done(self, source: str, outcome: str, reason: str = "") -> None:
        if source in self.began:
            self.took[source] = time.monotonic() - self.began[source]

    def embedded(self, chunks: int) -> None:
        """Nothing to note."""

    def slowest(self, count: int) -> tuple[tuple[str, float], ...]:
        return tuple(sorted(self.took.items(), key=lambda item: -item[1])[:count])


def run(room: Path, wanted: Callable[[str], bool] = lambda _: True, settings: IngestSettings | None = None) -> Run:
    """Make the set in `room`, leave out the files whose names aren't wanted, ingest the rest, and look at it."""
    documents, temporary = room / "documents", room / "temporary"
    documents.mkdir()
    temporary.mkdir()
    made = []
    for hostile in SET["make_hostile"](documents):
        if wanted(hostile.path.name):
            made.append(hostile)
        else:
            hostile.path.unlink()
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(temporary)  # of the workers
    clock, began = Clock(), time.monotonic()
    try:
        with opened(room / "data", documents, settings) as house:
            with Peaks() as peaks:
                report = house.intake.ingest([documents], "default", None, clock)
            seconds = time.monotonic() - began
            faults = (*_rows(made, documents, report, house), *_found(house))
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before
    left = (*_left([room / "data" / "scratch", temporary]), *faults)
    return Run(report, len(made), seconds, peaks, clock.slowest(8), left)


def _rows(made: Sequence[Any], documents: Path, report: IngestReport, house: House) -> Iterator[str]:
    """Each file is one row, of a kind that may be, with a reason of one line."""
    rows = {row.source: row for row in house.parts.catalog.documents() if not row.container}
    skipped = [failure.source for failure in report.skipped]
    for hostile in made:
        source = printable(hostile.path)
        states = [rows[source].state] * (source in rows) + ["skipped"] * skipped.count(source)
        name = ascii(hostile.path.name)
        if len(states) != 1:
            yield f"{name} is {len(states)} rows ({', '.join(states)})"
        elif not set(states) <= _IS_IN.get(hostile.expected, {"live", "failed"}):
            yield f"{name} is {states[0]}, expected {hostile.expected}"
        if (row := rows.pop(source, None)) and row.state == "failed":
            said = row.reason
            if not said or "\n" in said or len(said) > 300 or str(documents) in said:
                yield f"{name} failed with the reason {said!r}"
    yield from (f"{source} is a row that no file made" for source in rows if not Path(source).is_symlink())


def _found(house: House) -> Iterator[str]:
    """Every good file is found, and nothing of this machine."""
    for word in SET["GOOD_WORDS"]:
        if not any(
            f"good.{end}" in p.source for p in house.search(word) for end in ("txt", "html", "csv", "docx", "eml")
        ):
            yield f"{word} is found in no good file"
    index = house.parts.index
    for row in house.parts.catalog.documents(state="live"):
        for hit in index.chunks(row.id, row.revision, range(min(row.chunks, 50)), scope(LOCAL)):
            if "root:x:0:" in hit.payload["text"]:
                yield f"{row.source!a} holds this machine's /etc/passwd"


def _left(folders: Sequence[Path]) -> Iterator[str]:
    yield from (f"the file {path} was left" for folder in folders for path in folder.iterdir())
    for child in psutil.Process().children(recursive=True):
        yield f"the process {child.pid} was left ({child.status()})"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ragapp-hostile-") as folder:
        done = run(Path(folder))
    report = done.report
    print(
        f"{done.files} files: {report.added} documents in, {len(report.failed)} with a reason, {report.chunks} chunks"
    )
    print(f"{done.seconds:.0f} s; most memory: {done.peaks}")
    print("longest: " + ", ".join(f"{Path(name).name!a} {seconds:.0f} s" for name, seconds in done.slowest))
    for fault in done.faults:
        print(fault)
    sys.exit(1 if done.faults else 0)


if __name__ == "__main__":
    main()
