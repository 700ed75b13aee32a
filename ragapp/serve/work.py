"""The service's one worker: jobs wait in the catalog, are done one after the other, and survive the service.

A file that somebody attached to a conversation, who sits and waits for it, comes before all else: the running job stops
after the window of chunks that it writes, and goes on behind it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ingest.jobs.sync import Retry
from ingest.pipeline.report import Outcome, seconds_left
from ragapp.app import RagApp
from ragapp.catalog.rows import JobRow
from ragapp.errors import RagappError
from ragapp.serve.forgetting import loose_files, remove_files
from ragapp.serve.metrics import Metrics
from ragapp.serve.naming import OF_CONVERSATIONS

_log = logging.getLogger(__name__)
_LONGEST_WAIT_S = 10.0
"""How long questions hold up a few chunks (write.AT_ONCE): ingestion goes on though the line never empties."""
_LOOK_S = 0.05
_LAST_S = 20.0
"""How long a window that is being embedded may take when the service stops."""
_REST_S = 1.0
"""After a job that failed."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running job is."""

    files_done: int
    files_total: int | None
    pages: int
    chunks: int
    failed: int
    bytes_done: int
    bytes_total: int
    left_s: float | None
    """None while it can't be told."""
    now: tuple[str, ...]
    """What is being read."""


@dataclass(slots=True)
class _Watch:
    """The watcher of the running job. Told from several threads."""

    began: float = field(default_factory=time.monotonic)
    total: int | None = None
    total_bytes: int = 0
    files: int = 0
    bytes: int = 0
    pages: int = 0
    chunks: int = 0
    failed: int = 0
    _reading: dict[str, int] = field(default_factory=dict)
    _taken: dict[str, int] = field(default_factory=dict)
    """The sizes of files that are read or were, and have no outcome yet."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def found(self, files: int, bytes: int = 0) -> None:
        with self._lock:
            self.total, self.total_bytes, self.began = files, bytes, time.monotonic()

    def started(self, source: str, size: int) -> None:
        with self._lock:
            self._reading[source] = self._taken[source] = size

    def read(self, source: str, pages: int) -> None:
        with self._lock:
            self.pages += pages
            self._reading.pop(source, None)

    def file_done(self, source: str, outcome: Outcome, reason: str = "") -> None:
        with self._lock:
            self._reading.pop(source, None)
            size = self._taken.pop(source, 0)
            self.failed += outcome == "failed"
            # what lies in a container was not counted among the files that were found
            if "!/" not in source and outcome in ("added", "changed", "failed"):
                self.files += 1
                self.bytes += size

    def embedded(self, chunks: int) -> None:
        with self._lock:
            self.chunks += chunks

    def progress(self) -> Progress:
        with self._lock:
            done, total = (self.bytes, self.total_bytes) if self.total_bytes else (self.files, self.total or 0)
            left = seconds_left(done, total, time.monotonic() - self.began)
            return Progress(
                self.files, self.total, self.pages, self.chunks, self.failed, self.bytes, self.total_bytes,
                None if left is None else round(left, 1), tuple(sorted(self._reading)),
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Turn:
    """A job in the line."""

    job_id: int
    retry: Retry = ""
    resumed: bool = False


class Work:
    """Does waiting jobs on a thread of its own. `busy` says whether somebody waits for an answer, who goes first."""

    def __init__(self, rag: RagApp, busy: Callable[[], bool], metrics: Metrics) -> None:
        self._rag = rag
        self._metrics = metrics
        self._busy = busy
        self._changed = threading.Condition()
        self._first: deque[_Turn] = deque()
        self._waiting: deque[_Turn] = deque()
        self._stop = threading.Event()
        self._now: tuple[int, _Watch] | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin with what an earlier service left undone."""
        for job_id in self._rag.catalog.jobs.orphans():
            job = self._rag.catalog.jobs.take_up(job_id, waiting=True)
            if job.request.get("dry_run"):
                self._rag.catalog.jobs.discard(job_id)
            else:
                self._waiting.append(_Turn(job_id, resumed=True))
        self._thread = threading.Thread(target=self._run, name="ragapp-work", daemon=True)
        self._thread.start()

    def add(self, job_id: int, *, first: bool = False) -> None:
        """A job that was noted as waiting is to be done; `first`, before all that are not."""
        self._put(_Turn(job_id), self._first if first else self._waiting)

    def again(self, job_id: int, retry: Retry = "") -> JobRow:
        """Go on with a job that ended early, or try again what failed in one. Raises CatalogError for any other."""
        row = self._rag.catalog.jobs.take_up(job_id, waiting=True, finished=bool(retry))
        self._put(_Turn(job_id, retry, resumed=True), self._waiting)
        return row

    def progress(self, job_id: int) -> Progress | None:
        """How far a job is; None for one that isn't running."""
        now = self._now
        return now[1].progress() if now and now[0] == job_id else None

    def close(self) -> None:
        """Stop after the window of chunks that is being written; the next service goes on from there."""
        with self._changed:
            self._stop.set()
            self._changed.notify()
        if self._thread:
            self._thread.join(timeout=_LAST_S)

    def _put(self, turn: _Turn, line: deque[_Turn]) -> None:
        with self._changed:
            line.append(turn)
            self._changed.notify()

    def _next(self) -> tuple[_Turn, bool] | None:
        """Whose turn it is, and whether it is one of the first; None where the service ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._stop.is_set() or self._first or self._waiting)
            if self._stop.is_set():
                return None
            return (self._first.popleft(), True) if self._first else (self._waiting.popleft(), False)

    def _run(self) -> None:
        while turn_of := self._next():
            turn, is_first = turn_of
            job_id, watch = turn.job_id, _Watch()
            before: JobRow | None = None
            broke_off = True
            with self._outlived(f"job {job_id}"):
                before = self._rag.catalog.jobs.job(job_id)
                self._now = job_id, watch
                self._rag.intake.do(
                    job_id,
                    watch,
                    retry=turn.retry,
                    resumed=turn.resumed,
                    stop=self._stop.is_set if is_first else self._others_first,
                    give_way=self._give_way,
                    leave_graph=self._others_wait if is_first else None,
                )
                broke_off = False
            self._now = None
            with self._outlived(f"what comes after job {job_id}"):
                self._settle(job_id, before, broke_off=broke_off)

    @contextmanager
    def _outlived(self, what: str) -> Iterator[None]:
        """Whatever one job comes to, the worker goes on; the job's own row says what it was."""
        try:
            yield
        except RagappError as error:
            _log.warning("%s failed: %s", what, error)
        except Exception:  # noqa: BLE001 - the worker is the only one
            _log.exception("%s failed unexpectedly", what)
        else:
            return
        # a full disk is full for a while, and must not keep a core busy
        self._stop.wait(_REST_S)

    def _settle(self, job_id: int, before: JobRow | None, *, broke_off: bool) -> None:
        """Count what a job did; one that is to go on is put back into the line."""
        row = self._rag.catalog.jobs.job(job_id)
        if row is None:
            return
        if before:
            self._count(before, row)
        # one that broke off still runs where that could not be noted, and may have failed because the service stops
        broken = ("running", "failed") if self._stop.is_set() else ("running",)
        if row.state == "waiting" or (broke_off and row.state in broken):
            with self._changed:
                self._waiting.appendleft(_Turn(job_id, resumed=True))
            self._rag.catalog.jobs.put_back(job_id)
        elif str(row.request.get("collection", "")).startswith(OF_CONVERSATIONS):
            # somebody may have taken the file off while it was being read
            remove_files(self._rag, loose_files(self._rag))

    def _others_wait(self) -> bool:
        return bool(self._first or self._waiting)

    def _others_first(self) -> bool:
        return self._stop.is_set() or bool(self._first)

    def _count(self, before: JobRow, after: JobRow) -> None:
        """A job that was stopped and goes on counts once, its files as they are done."""
        if after.state not in ("waiting", "running"):
            self._metrics.jobs.labels(after.state).inc()
        for outcome in ("added", "changed", "unchanged", "removed", "failed"):
            self._metrics.files.labels(outcome).inc(max(0, getattr(after, outcome) - getattr(before, outcome)))

    def _give_way(self) -> None:
        until = time.monotonic() + _LONGEST_WAIT_S
        while self._busy() and time.monotonic() < until and not self._stop.is_set():
            time.sleep(_LOOK_S)
