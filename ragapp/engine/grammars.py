"""Constraints are compiled in a process with limits first: what would hold the engine is refused before it gets there.

The engine compiles a grammar in the process that writes everybody's tokens. So the same library compiles it beforehand
in a process of its own, where time and memory are limited and a crash costs nobody else anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from hashlib import sha256
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from ragapp.engine.sampling import Sampling
from ragapp.engine.schema_bounds import choices_fit, pattern_fits
from ragapp.errors import EngineError, TooCostly

_KEPT = 512
"""Constraints that are remembered with what came of them, so that one that comes again costs nothing."""
_START_S = 120.0
"""What loading the library and the model's tokens may take."""
_WALL = 10
"""How many times its time of computing a call may take where others need the processor too."""


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    calls: Connection

    def end(self) -> None:
        """Kill it with what it started, if it still runs, and collect it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.calls.close()
        self.process.wait()


class Grammars:
    """Compiles constraints for the model in a folder, one at a time. The process starts with the first and stays.

    Safe to use from any thread; blocks for as long as the compiling takes, so an event loop hands it to a thread.
    """

    def __init__(self, folder: Path, seconds: int) -> None:
        self._folder = folder
        self._seconds = self._allowed = seconds
        self._worker: _Worker | None = None
        self._closed = False
        self._turn = threading.Lock()
        self._looking = threading.Lock()
        self._known: OrderedDict[bytes, str | Exception] = OrderedDict()
        self.compiled = 0
        """Constraints that were not known and went to the process."""

    def passed(self, sampling: Sampling) -> Sampling:
        """The sampling as the engine gets it, its JSON schema as a grammar, once its constraint was compiled.

        Raises TooCostly where compiling needs too much, ValueError where the constraint can't be kept to, EngineError
        where the process can't be started.
        """
        if sampling.json_schema is not None:
            # by the order of its keys too: it is the order in which they are written
            grammar = self._compiled("json_schema", json.dumps(sampling.json_schema))
            return replace(sampling, json_schema=None, grammar=grammar)
        if sampling.regex is not None:
            pattern_fits(sampling.regex)
            self._compiled("regex", sampling.regex)
        elif sampling.structural_tag is not None:
            self._compiled("structural_tag", sampling.structural_tag)
        elif sampling.choice:
            choices_fit(sampling.choice)
        return sampling

    def close(self) -> None:
        """End the process for good. A call under way raises EngineError, and so does a later one."""
        self._closed = True
        if worker := self._worker:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.process.pid, signal.SIGKILL)
        with self._turn:
            self._end()

    def _compiled(self, kind: str, text: str) -> str:
        """The grammar of a constraint; what is wrong with it is raised, also when it comes again."""
        key = sha256(f"{kind} {text}".encode("utf-8", "surrogatepass")).digest()
        if (found := self._found(key)) is None:
            with self._turn:
                # it may have been compiled while this one waited
                if (found := self._found(key)) is None:
                    self.compiled += 1
                    found = self._asked(kind, text)
                    self._keep(key, found)
        if isinstance(found, Exception):
            raise found.with_traceback(None)
        return found

    def _found(self, key: bytes) -> str | Exception | None:
        """What is known already, for which nobody waits, whatever is being compiled."""
        with self._looking:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def _keep(self, key: bytes, found: str | Exception) -> None:
        with self._looking:
            self._known[key] = found
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)

    def _asked(self, kind: str, text: str) -> str | Exception:
        worker = self._running()
        try:
            worker.calls.send((kind, text))
            if not worker.calls.poll(_WALL * self._allowed):
                self._end()
                raise EngineError("The schema was not compiled in time, since the machine is busy; ask again later.")
            came, said = worker.calls.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._end()
            raise EngineError(
                "The schema was not compiled, since the engine was closed or memory ran out; ask again."
            ) from None
        if came == "grammar":
            return str(said)
        if came == "slow":
            return _too_slow(self._allowed)
        if came == "swollen":
            return TooCostly(f"Compiling the schema or pattern needs {said}; make it smaller.")
        return ValueError(f"the schema or pattern can't be kept to: {said}")

    def _running(self) -> _Worker:
        if self._closed:
            raise EngineError("The engine was closed; make a new one to ask again.")
        if self._worker is None or self._worker.process.poll() is not None:
            self._end()
            self._worker = _started(self._folder, self._seconds)
            try:
                if not self._worker.calls.poll(_START_S):
                    raise EOFError
                self._allowed = self._worker.calls.recv()
            except (EOFError, ConnectionResetError):
                self._end()
                raise EngineError(
                    "The process that compiles schemas could not start; free memory or mend the installation."
                ) from None
        return self._worker

    def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker:
            worker.end()


def _too_slow(seconds: int) -> TooCostly:
    return TooCostly(
        f"Compiling the schema or pattern takes more than {seconds} s of computing (engine.schema_timeout_s); make it "
        "smaller: fewer texts with lengths of their own, fewer alternatives that begin alike."
    )


def _started(folder: Path, seconds: int) -> _Worker:
    ours, theirs = Pipe()
    given = (theirs.fileno(), os.getpid(), folder, seconds)
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ragapp.engine.grammarworker", *map(str, given)],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return _Worker(process, ours)
