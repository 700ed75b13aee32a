"""The process behind the fence: takes a call from one pipe, answers on another, and dies with its owner."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pickle
import resource
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ragapp.network import refuse_if_told

_YIELDS = 5
"""How far readers step back behind the embedder, which has work for every core and is what a run waits for."""


def serve(calls: int, lifeline: int, memory_mib: int) -> None:
    """Answer calls until the owner closes its end. `calls` and `lifeline` are inherited file descriptors."""
    _die_with_owner(lifeline)
    refuse_if_told()
    _step_back()
    # spaCy, which unstructured loads, imports torch for nothing: two seconds and 200 MiB of each worker
    sys.modules["torch"] = None  # type: ignore[assignment]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the owner decides
    limit = memory_mib << 20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = Connection(calls)
    try:
        while True:
            connection.send_bytes(_answered(connection.recv_bytes()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)


def _step_back() -> None:
    os.nice(_YIELDS)
    # on a desktop a session of its own, which this is, may be weighed as a whole against all others, and niceness only
    # counts within it
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(_YIELDS))


def _die_with_owner(lifeline: int) -> None:
    """Have the kernel end this process when the owner's end of the lifeline closes.

    By SIGIO and its default action: a thread that waits would not get its turn while C code holds the interpreter, and
    a parent-death signal comes already when the thread ends that started this process.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGIO})
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    try:
        closed = os.read(lifeline, 1) == b""  # before the signal was asked for
    except BlockingIOError:
        closed = False
    if closed:
        os._exit(0)


def _answered(call: bytes) -> bytes:
    try:
        work: Callable[..., Any]
        work, arguments = pickle.loads(call)  # noqa: S301 from our owner
        return pickle.dumps(("result", work(*arguments)), pickle.HIGHEST_PROTOCOL)
    except MemoryError:
        return pickle.dumps(("swollen", None))
    except BaseException as error:  # noqa: BLE001 every error belongs to the call
        return _fault(error)


def _fault(error: BaseException) -> bytes:
    """An error as the owner gets it; one that can't be sent as it is goes by its name and words."""
    try:
        sent = pickle.dumps(("error", error))
        pickle.loads(sent)  # noqa: S301 made above
    except Exception:  # noqa: BLE001 pickling calls the error's own code
        return pickle.dumps(("unsendable", f"{type(error).__name__}: {error}"))
    return sent


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:]))
