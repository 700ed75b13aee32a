"""The fence: work on files that nobody vouches for, in processes whose memory and time are limited.

A worker that swells, hangs or dies costs the call it was at, and a fresh one takes its place.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from ragapp.errors import KeptOut, PassingFault, Unreadable

P = ParamSpec("P")
R = TypeVar("R")

_PAGE = os.sysconf("SC_PAGE_SIZE")
_LOOK_S = 0.1
"""How often a busy worker's memory is looked at."""


@dataclass(frozen=True, slots=True)
class FenceLimits:
    """What one worker may take; the time grows with the size of what it is given."""

    workers: int = 1
    memory_mib: int = 2048
    timeout_s: float = 120.0
    timeout_s_per_mib: float = 10.0
    calls: int = 200
    """After so many calls a worker is replaced, since libraries leak."""

    def seconds(self, size: int) -> float:
        """The time for work on so many bytes."""
        return self.timeout_s + self.timeout_s_per_mib * size / (1 << 20)


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    calls: Connection
    lifeline: int
    used: int = 0

    def resident(self) -> int:
        """Bytes in memory; 0 when the process is gone."""
        try:
            return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * _PAGE
        except (OSError, IndexError):
            return 0

    def kill(self) -> None:
        """End it with what it started."""
        with contextlib.suppress(ProcessLookupError):  # it ended by itself
            os.killpg(self.process.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill it and collect it."""
        self.kill()
        self.process.wait()
        self.calls.close()
        if self.lifeline >= 0:
            os.close(self.lifeline)
            self.lifeline = -1


@dataclass(slots=True)
class Fence:
    """Up to `limits.workers` calls at a time, each from its own thread. Workers start when they are first needed."""

    limits: FenceLimits
    _idle: list[_Worker] = field(default_factory=list)
    _all: list[_Worker] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _places: threading.BoundedSemaphore = field(init=False)
    _closed: bool = False

    def __post_init__(self) -> None:
        self._places = threading.BoundedSemaphore(self.limits.workers)

    def __enter__(self) -> Fence:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def call(self, work: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        """What `work` makes of its arguments, in a worker; blocks while all workers are busy.

        `work` and its arguments must be picklable, `work` importable by its module's name. What it raises is raised
        here. Raises KeptOut when the worker swelled or took too long, as it would at once again; PassingFault when it
        died.
        """
        return self.call_sized(0, partial(work, *arguments, **named))

    def call_sized(self, size: int, work: Callable[[], R]) -> R:
        """As `call`, for work on so many bytes."""
        with self._places:
            worker = self._take()
            kept = False
            try:
                kind, answer = self._answer(worker, work, self.limits.seconds(size))
                worker.used += 1
                kept = kind in ("result", "error", "unsendable") and not self._worn(worker)
            finally:  # also at Ctrl-C: a worker whose answer nobody took is of no use
                self._give_back(worker, kept)
        if kind == "error":
            raise answer
        if kind == "swollen":
            raise KeptOut(self._swollen())
        if kind == "unsendable":
            raise Unreadable(f"can't be read ({answer})")
        return cast(R, answer)

    def _answer(self, worker: _Worker, work: Callable[[], Any], seconds: float) -> tuple[str, Any]:
        until = time.monotonic() + seconds
        try:
            worker.calls.send_bytes(pickle.dumps((work, ()), pickle.HIGHEST_PROTOCOL))
            while not worker.calls.poll(_LOOK_S):
                if worker.resident() > self.limits.memory_mib << 20:
                    return "swollen", None
                if time.monotonic() > until:
                    raise KeptOut(f"takes longer than {seconds:.0f} s to read (ingest.file_timeout_s)")
            return cast("tuple[str, Any]", pickle.loads(worker.calls.recv_bytes()))  # noqa: S301 our own worker
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise PassingFault(_death(worker.process.wait())) from None

    def _swollen(self) -> str:
        return f"needs more than {self.limits.memory_mib} MiB of memory (ingest.worker_memory_mib)"

    def _worn(self, worker: _Worker) -> bool:
        return worker.used >= self.limits.calls or worker.resident() > self.limits.memory_mib << 19

    def _take(self) -> _Worker:
        with self._lock:
            if self._closed:
                raise PassingFault("was not read since the run ended")
            if self._idle:
                return self._idle.pop()
            worker = _started(self.limits)
            self._all.append(worker)
            return worker

    def _give_back(self, worker: _Worker, kept: bool) -> None:
        with self._lock:
            if kept and not self._closed:
                self._idle.append(worker)
                return
            self._all.remove(worker)
            worker.end()

    def close(self) -> None:
        """End all workers. A call under way in another thread raises PassingFault."""
        with self._lock:
            self._closed = True
            for worker in self._idle:
                self._all.remove(worker)
                worker.end()
            self._idle.clear()
            for worker in self._all:  # its caller collects it
                worker.kill()


def _started(limits: FenceLimits) -> _Worker:
    """A process by our own entry: multiprocessing's would run the user's script a second time."""
    ours, theirs = Pipe()
    watched, lifeline = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ingest.fence.worker"]
            + [str(number) for number in (theirs.fileno(), watched, limits.memory_mib)],
            pass_fds=(theirs.fileno(), watched),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,
        )
    except BaseException:
        ours.close()
        os.close(lifeline)
        raise
    finally:
        theirs.close()
        os.close(watched)
    return _Worker(process, ours, lifeline)


def _death(code: int) -> str:
    cause = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    return f"made its reader crash ({cause})"
