"""One start of vLLM, from its first process to the end of its last."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ragapp.engine import launch
from ragapp.engine.lifeline import Tether
from ragapp.engine.temporary import TemporaryFolder
from ragapp.errors import EngineError, ModelError
from ragapp.private import private_file, private_folder

_CLOSE_S = 10.0
_ABORT_S = 2.0
_SHUTDOWN_S = 5.0
"""How long vLLM's processes may take to end by themselves; they hold nothing that killing them would lose."""
CLOSED = "The engine was closed while it was answering; make a new one to ask again."
_REAP_S = 5.0
"""What a killed process may take to be gone."""
_OUTPUT_BYTES = 20_000
"""How much of the processes' last output is searched for the reason of a failure."""
_LOG_BYTES = 10_000_000
"""From this size on a log file is put aside when an engine starts; the one put aside before goes."""


@dataclass(slots=True)
class Started:
    """A running AsyncLLM and the loop it lives on; the AsyncLLM is let go of when it has been shut down."""

    llm: Any
    loop: asyncio.AbstractEventLoop
    over: asyncio.Event
    seconds: float


class Life:
    """One start of vLLM, its thread and its processes, until it is ended or dies."""

    def __init__(self, plan: launch.Plan, log_file: Path | None) -> None:
        self.started: Future[Started] = Future()
        self._plan = plan
        self._log = _open_log(log_file)
        self._log_start = self._log.seek(0, os.SEEK_END)
        self._folder = TemporaryFolder()
        self._tether = Tether(self._log.fileno(), self._folder.path)
        self._gave_up = False
        self._ended = False
        self._turn = threading.Lock()
        """A request comes either before the end, and is told of it, or after it, and is refused."""
        self._process = os.getpid()
        self.requests: set[asyncio.Task[None]] = set()
        """The requests under way; touched on the engine's loop only."""
        self._thread = threading.Thread(target=self._run, name="ragapp-engine", daemon=True)
        self._thread.start()
        atexit.register(self._end_at_exit)

    def submit(self, request: Coroutine[Any, Any, None]) -> Future[None]:
        """Run a request on the engine's loop, once `started` is done. Raises EngineError where the end came first."""
        with self._turn:
            if not self._ended:
                return asyncio.run_coroutine_threadsafe(request, self.started.result().loop)
        request.close()
        raise EngineError(CLOSED)

    def is_running(self) -> bool:
        return self.started.done() and self.fault() is None

    def fault(self) -> BaseException | None:
        """What ended this life, or None; asked only once `started` is done."""
        if error := self.started.exception():
            return error
        if (
            self._ended
            or self.started.result().llm is None
            or self.started.result().llm.errored
            or not self._tether.alive()
        ):
            return launch.died(self._output())
        return None

    def end(self) -> None:
        """Stop vLLM, kindly if it runs, and leave no process of it behind.

        A start can't be called off in the middle of an import: its processes go, and its thread is not waited for.
        """
        if os.getpid() != self._process:
            return  # a fork of that process has no part in its engine
        with self._turn:
            self._ended = True
            running = self.started.done() and not self.started.exception()
        if running:
            started = self.started.result()
            # its loop is closed where an earlier end took longer than it was waited for, and is through by now
            with contextlib.suppress(RuntimeError):
                started.loop.call_soon_threadsafe(started.over.set)
            self._thread.join(_CLOSE_S)
        self._tether.cut()
        if not self._thread.is_alive():
            atexit.unregister(self._end_at_exit)

    def _end_at_exit(self) -> None:
        self.end()
        if os.getpid() == self._process:
            # an import must not go on while the interpreter is taken apart
            self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:  # noqa: BLE001 - carried to those who wait for the start
            if not self.started.done():
                self.started.set_exception(error)
        finally:
            self._tether.cut()
            self._tether.reap(_REAP_S)
            self._folder.remove()

    async def _live(self) -> None:
        begun = time.monotonic()
        limit = self._plan.engine.start_timeout_s
        alarm = threading.Timer(limit, self._give_up)
        alarm.daemon = True
        alarm.start()
        try:
            llm = launch.launch(self._plan, self._tether, self._folder.path, self._log)
        except BaseException as error:
            self._tether.cut()
            if isinstance(error, EngineError | ModelError):
                raise
            raise launch.failed(error, self._output(), limit if self._gave_up else None) from None
        finally:
            alarm.cancel()
        over = asyncio.Event()
        started = Started(llm, asyncio.get_running_loop(), over, time.monotonic() - begun)
        del llm
        with self._turn:
            self.started.set_result(started)
            if self._ended:
                over.set()
        await over.wait()
        await self._abort_all()
        started.llm.shutdown(timeout=_SHUTDOWN_S)
        # vLLM's own finalizer fails with a traceback when it runs as late as at the interpreter's end
        started.llm = None

    async def _abort_all(self) -> None:
        """Cancel the requests that are under way and let each abort itself in vLLM."""
        requests = list(self.requests)
        for request in requests:
            request.cancel()
        if requests:
            await asyncio.wait(requests, timeout=_ABORT_S)

    def _give_up(self) -> None:
        self._gave_up = True
        self._tether.cut()

    def _output(self) -> bytes:
        """The last of what vLLM's processes wrote in this life."""
        size = os.fstat(self._log.fileno()).st_size
        begin = max(self._log_start, size - _OUTPUT_BYTES)
        return os.pread(self._log.fileno(), size - begin, begin)


def _open_log(path: Path | None) -> IO[bytes]:
    if path is None:
        return tempfile.TemporaryFile("a+b")
    private_folder(path.parent)
    # a folder where nothing may be renamed is no reason not to start
    with contextlib.suppress(OSError):
        if path.stat().st_size >= _LOG_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
    return open(path, "a+b", opener=private_file)
