"""How ingestion shows itself: a live bar on a terminal, plain lines elsewhere, JSON lines for machines, or nothing."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ingest.pipeline.report import seconds_left
from ragapp.answer.unseen import seen_line
from ragapp.cli.options import number_of

_EVERY_S = 5.0
"""Seconds between plain lines: often enough to see life, rarely enough for a log."""
_JSON_EVERY_S = 1.0
_SHOWN = 3
"""Workers whose file is shown."""


class SilentWatcher:
    """Says nothing; keeps the counts that the others show. Told from several threads, one call at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self.began = clock()
        self.files = self.pages = self.chunks = self.failed = 0
        self.total = self.total_bytes = self.bytes = 0
        self.reading: dict[str, tuple[float, int]] = {}
        """Since when each file is being read, and its size."""
        self.waiting: set[str] = set()
        """Files that were read and have chunks to be embedded."""
        self._taken: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to take down."""

    def found(self, files: int, bytes: int = 0) -> None:
        with self._lock:
            self.total, self.total_bytes = files, bytes
            self.began = self._clock()
        self._changed("found", files=files, bytes=bytes)

    def started(self, source: str, size: int) -> None:
        with self._lock:
            self.reading[source] = self._clock(), size
            self._taken[source] = size
        self._changed("started", source=source, bytes=size)

    def read(self, source: str, pages: int) -> None:
        with self._lock:
            self.pages += pages
            if self.reading.pop(source, None):
                self.waiting.add(source)

    def file_done(self, source: str, outcome: str, reason: str = "") -> None:
        with self._lock:
            self.reading.pop(source, None)
            self.waiting.discard(source)
            # what lies in a container was not counted among the files that were found
            if "!/" not in source and outcome in ("added", "changed", "failed"):
                self.files += 1
                self.bytes += self._taken.pop(source, 0)
            self.failed += outcome == "failed"
        self._changed("file", source=source, outcome=outcome, reason=reason)

    def embedded(self, chunks: int) -> None:
        with self._lock:
            self.chunks += chunks
        self._changed("")

    def counted(
        self, *, files: int, total: int, pages: int, chunks: int, failed: int, bytes: int, total_bytes: int,
        reading: Collection[str],
    ) -> None:  # fmt: skip
        """All counts at once, of a run that goes on in another process."""
        with self._lock:
            first = (total, total_bytes) != (self.total, self.total_bytes)
            self.total, self.total_bytes = total, total_bytes
            self.files, self.pages, self.chunks, self.failed, self.bytes = files, pages, chunks, failed, bytes
            now = self._clock()
            self.reading = {source: self.reading.get(source, (now, 0)) for source in reading}
        if first:
            self._changed("found", files=total, bytes=total_bytes)
        else:
            self._changed("")

    @property
    def seconds(self) -> float:
        return self._clock() - self.began

    @property
    def rate(self) -> float:
        """Chunks per second so far."""
        return self.chunks / max(self.seconds, 1e-6)

    @property
    def seconds_left(self) -> float | None:
        """By the bytes that are done, or the files where sizes are not known; None while it can't be told."""
        done, total = (self.bytes, self.total_bytes) if self.total_bytes else (self.files, self.total)
        return seconds_left(done, total or 0, self.seconds)

    def line(self) -> str:
        """All counts on one line."""
        left = self.seconds_left
        return (
            f"{self.files}/{self.total} files, {self.pages} pages, {self.chunks} chunks, {self.rate:.1f} chunks/s"
            + (f", {self.failed} failed" if self.failed else "")
            + ("" if left is None else f", about {_short(left)} left")
        )

    def _changed(self, event: str, **facts: Any) -> None:
        """Something is to be shown; nobody looks here."""


class LineWatcher(SilentWatcher):
    """A line on stderr every few seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._said = self.began

    def _changed(self, event: str, **facts: Any) -> None:
        with self._lock:
            now = self._clock()
            if event == "found":
                self._say(f"found {number_of(self.total, 'file')} to read", now)
            elif now - self._said >= _EVERY_S:
                self._say(self.line(), now)

    def _say(self, line: str, now: float) -> None:
        self._said = now
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - the command line's own voice


class JsonWatcher(SilentWatcher):
    """JSON lines on stderr, for programs: found, started, file, progress (once a second at most), done."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._said = self.began

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._say("done", ok=error is None)

    def _changed(self, event: str, **facts: Any) -> None:
        with self._lock:
            if event:
                self._say(event, **facts)
            if self._clock() - self._said >= _JSON_EVERY_S:
                self._said = self._clock()
                self._say("progress")

    def _say(self, event: str, **facts: Any) -> None:
        if event in ("progress", "done"):
            left = self.seconds_left
            facts |= {
                "files": self.files, "of": self.total, "pages": self.pages, "chunks": self.chunks,
                "failed": self.failed, "seconds": round(self.seconds, 1), "left": left and round(left),
                "reading": sorted(self.reading),
            }  # fmt: skip
        print(json.dumps({"event": event, **facts}), file=sys.stderr, flush=True)  # noqa: T201 - the CLI's own voice


class BarWatcher(SilentWatcher):
    """Live on a terminal: the counts, and what each worker reads now."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._live = Live(
            console=Console(stderr=True), transient=True, refresh_per_second=4, get_renderable=self._shown
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def _shown(self) -> Group:
        with self._lock:
            now = self._clock()
            longest = sorted(self.reading.items(), key=lambda item: item[1][0])[:_SHOWN]
            rows = [f"  reading {seen_line(source)[-70:]}  {now - since:.0f} s" for source, (since, _) in longest]
            if self.waiting:
                rows.append(f"  {number_of(len(self.waiting), 'file')} read, to be embedded")
            return Group(Text(self.line(), style="bold"), *(Text(row, style="dim") for row in rows))


def _short(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"
