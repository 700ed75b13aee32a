"""How ingestion shows itself: a bar on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

_EVERY_S = 5.0
"""Seconds between plain lines: often enough to see life, rarely enough for a log."""


class SilentWatcher:
    """Says nothing; the base of the other two's bookkeeping."""

    def __init__(self) -> None:
        self.total = self.files = self.chunks = 0
        self.began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to take down."""

    def found(self, files: int, bytes: int = 0) -> None:
        self.total = files

    def started(self, source: str, size: int) -> None:
        """Not shown yet."""

    def read(self, pages: int) -> None:
        """Not shown yet."""

    def file_done(self, source: str, outcome: str, reason: str = "") -> None:
        self.files += 1

    def embedded(self, chunks: int) -> None:
        self.chunks += chunks

    @property
    def rate(self) -> float:
        """Chunks per second so far."""
        return self.chunks / max(time.monotonic() - self.began, 1e-6)


class LineWatcher(SilentWatcher):
    """A line on stderr every few seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._said = self.began

    def found(self, files: int, bytes: int = 0) -> None:
        super().found(files, bytes)
        self._say(f"found {files} files")

    def file_done(self, source: str, outcome: str, reason: str = "") -> None:
        super().file_done(source, outcome, reason)
        self._now_and_then()

    def embedded(self, chunks: int) -> None:
        super().embedded(chunks)
        self._now_and_then()

    def _now_and_then(self) -> None:
        if time.monotonic() - self._said >= _EVERY_S:
            left = (self.total - self.files) * (time.monotonic() - self.began) / max(self.files, 1)
            self._say(
                f"{self.files}/{self.total} files, {self.chunks} chunks, "
                f"{self.rate:.1f} chunks/s, about {left:.0f} s left"
            )

    def _say(self, line: str) -> None:
        self._said = time.monotonic()
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - the command line's own voice


class BarWatcher(SilentWatcher):
    """A live bar with files, chunks, rate and time left."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("files  {task.fields[chunks]} chunks  {task.fields[rate]:.1f} chunks/s"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("ingest", total=None, chunks=0, rate=0.0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def found(self, files: int, bytes: int = 0) -> None:
        super().found(files, bytes)
        self._bar.update(self._task, total=files)

    def file_done(self, source: str, outcome: str, reason: str = "") -> None:
        super().file_done(source, outcome, reason)
        self._bar.update(self._task, completed=self.files)

    def embedded(self, chunks: int) -> None:
        super().embedded(chunks)
        self._bar.update(self._task, chunks=self.chunks, rate=self.rate)
