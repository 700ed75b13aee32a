"""Building an embedded index's search graph in a process of its own, on a copy.

Qdrant Edge's `optimize()` keeps Python's interpreter lock until it is done (82 s for 100,000 chunks of 384 dimensions
on two cores): no thread of its process runs meanwhile, no search is answered and Ctrl-C is not heard. So a child does
it, on a copy of the shard, while the original goes on answering.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ragapp.errors import IndexUnavailable
from ragapp.index.holes import copy_with_holes

_CHILD = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: the thread that made this process waits for it
if os.getppid() != int(sys.argv[2]):
    os._exit(1)
os.nice(int(sys.argv[3]))
print(flush=True)  # from here on it dies with its parent, stopped or not
from qdrant_edge import EdgeShard
shard = EdgeShard.load(sys.argv[1])
shard.optimize()
shard.flush()
shard.close()
"""

_YIELDS = 19
"""How far the child steps back where others go first: it has a core only while they leave one idle."""
_TURN_S = 2.0
"""How long the child goes on between two looks at whether somebody waits, or wants it to stop."""

GiveWay = Callable[[], None]
"""Returns when the caller may take the machine; not later than after some seconds, so that it gets on."""
Stop = Callable[[], bool]
"""Whether the graph is to be left to another time."""


class _Stopped(Exception):
    """Somebody wants it to stop."""


def build_beside(
    folder: Path, spare_bytes: int, give_way: GiveWay | None = None, stop: Stop | None = None
) -> Path | None:
    """Copy a flushed shard that nobody writes to, and build the copy's graph; returns the copy's folder, None where
    `stop` ended it.

    Building stands still while `give_way` waits, and goes on with what the others leave of the machine after it.
    `spare_bytes` of the disk are left free beside the copy and what is built in it. Whatever goes wrong, or Ctrl-C,
    leaves the shard as it was. Raises OSError (ENOSPC) where there is no room, IndexUnavailable where building fails.
    """
    draft = folder.with_name(folder.name + ".graph")
    shutil.rmtree(draft, ignore_errors=True)
    size = sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
    if shutil.disk_usage(folder).free < 2 * size + spare_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))

    def copy(source: str, target: str) -> None:
        _hear(stop)
        copy_with_holes(source, target)

    try:
        shutil.copytree(folder, draft, copy_function=copy)
        _run(draft, give_way, stop)
    except _Stopped:
        shutil.rmtree(draft, ignore_errors=True)
        return None
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return draft


def exchange(folder: Path, draft: Path) -> None:
    """Put `draft` where `folder` is. A crash half way is mended by `mend`."""
    os.sync()
    old = folder.with_name(folder.name + ".old")
    folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def mend(folder: Path) -> None:
    """Clear away what a crash in the middle of building or exchanging left."""
    old = folder.with_name(folder.name + ".old")
    if old.exists() and not folder.exists():
        old.rename(folder)
    for left in (old, folder.with_name(folder.name + ".graph")):
        shutil.rmtree(left, ignore_errors=True)


def _run(draft: Path, give_way: GiveWay | None = None, stop: Stop | None = None) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(draft), str(os.getpid()), str(_YIELDS if give_way else 0)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = _watched(child, give_way, stop)
    except BaseException:
        with suppress(ProcessLookupError):
            child.kill()
        child.communicate()
        raise
    if child.returncode:
        reason = said.strip().rpartition("\n")[2] or f"ended with {child.returncode}"
        raise IndexUnavailable(
            f"The search graph of {draft.with_suffix('')} could not be built ({reason[:300]}); searches work without "
            "it, and the next ingest tries again."
        )


def _watched(child: subprocess.Popen[str], give_way: GiveWay | None, stop: Stop | None) -> str:
    """See the child to its end, stopped while others go first; returns what it complained of. Raises _Stopped."""
    assert child.stdout
    child.stdout.readline()
    while True:
        if give_way:
            child.send_signal(signal.SIGSTOP)
            try:
                give_way()
            finally:
                child.send_signal(signal.SIGCONT)
        _hear(stop)
        try:
            return child.communicate(timeout=_TURN_S if give_way or stop else None)[1]
        except subprocess.TimeoutExpired:
            continue


def _hear(stop: Stop | None) -> None:
    if stop and stop():
        raise _Stopped
