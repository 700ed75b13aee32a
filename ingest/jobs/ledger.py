"""Writes down in a job what became of each file, some at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ragapp.catalog.jobs import Jobs

_EVERY_S = 1.0
_MANY = 200


class Ledger:
    """The recorder of one job. Told from any thread; a crash loses the last second, which is done again."""

    def __init__(self, jobs: Jobs, job_id: int, also: Callable[[], bool] | None = None) -> None:
        """`also`: somebody else who may stop the run, asked each time."""
        self._jobs = jobs
        self._job_id = job_id
        self._also = also
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[str, str, str, bool]] = {}
        self._wrote = time.monotonic()
        self._asked = 0.0
        self._cancelled = False

    def file_done(self, source: str, outcome: str, reason: str = "", *, passing: bool = False) -> None:
        """One file has its outcome."""
        with self._lock:
            self._waiting[source] = (source, outcome, reason, passing)
            if len(self._waiting) >= _MANY or time.monotonic() - self._wrote >= _EVERY_S:
                self._write()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            self._write()

    def stop(self) -> bool:
        """Whether the run is to end early."""
        return self.cancelled() or bool(self._also and self._also())

    def cancelled(self) -> bool:
        """Whether somebody asked the job to stop; asks the catalog at most once a second."""
        with self._lock:
            if not self._cancelled and time.monotonic() - self._asked >= _EVERY_S:
                self._cancelled = self._jobs.is_cancelled(self._job_id)
                self._asked = time.monotonic()
            return self._cancelled

    def _write(self) -> None:
        if self._waiting:
            self._jobs.settle(self._job_id, self._waiting.values())
            self._waiting.clear()
        self._wrote = time.monotonic()
