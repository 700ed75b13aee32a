"""vLLM's processes die with the one that started them, however that ends; watched from their first instruction.

vLLM starts its engine core by multiprocessing's spawn and notices a parent's death only once the model is loaded, if
at all. So its processes are started through `tethered_context()`: a spawn whose child is in a process group of its own
from the first (Ctrl-C in the terminal is the parent's to handle), writes to a file, and runs `begin` before it reads
its orders, long before it imports vLLM. There it starts a thread that waits for the parent's end, then removes the
engine's temporary folder and kills the whole group: workers and compilers included. The same holds for the processes
that it starts in turn.

This module must stay light: only the standard library and what needs no more.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import pickle
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import context, popen_spawn_posix, process, reduction, resource_tracker, spawn, util
from pathlib import Path
from typing import Any, NoReturn

from ragapp.network import refuse_if_told

_POLL_S = 0.5
_INSIDE = "_RAGAPP_ENGINE_PROCESS"
"""Set in the engine's processes, whose own children stay in their group."""
_FOLDER = "_RAGAPP_ENGINE_FOLDER"
"""Names the engine's temporary folder to its processes."""
_PACKAGES = str(Path(__file__).parents[2])


class Tether:
    """What one engine's processes hang on: where their output and temporary files go, and their process ids."""

    def __init__(self, output_fd: int, folder: Path | None = None) -> None:
        self.output_fd = output_fd
        self.environment = {"TMPDIR": str(folder), _FOLDER: str(folder)} if folder else {}
        """What stands in their environment and not in this process's."""
        self.pids: list[int] = []
        self._early: _Child | None = None
        self._handles: list[_Popen] = []
        self._cut = False
        self._reaped = False

    def prepare(self, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the first child now, importing `modules` while this process does so too; it gets its orders later."""
        self._early = _spawn(self, modules, (), dict(environment))

    def child(self, fds: Sequence[int]) -> _Child:
        """A process to give orders to: the one prepared, or a new one where it has to inherit file descriptors."""
        early, self._early = self._early, None
        if early and not fds:
            return early
        if early:
            early.give_up()
            self.pids.remove(early.pid)
        return _spawn(self, (), fds, dict(os.environ))

    def handed(self, handle: _Popen) -> None:
        """A child got its orders: multiprocessing waits for its end, and must be the one that does."""
        self._handles.append(handle)

    def reap(self, seconds: float) -> None:
        """Take leave of those that have ended, which would stay as zombies for as long as this process runs."""
        early, self._early = self._early, None
        if early:
            early.give_up()
        for handle in self._handles:
            handle.wait(seconds)
        self._reaped = True

    def started(self, pid: int) -> None:
        self.pids.append(pid)
        if self._cut:
            self.cut()

    def alive(self) -> bool:
        """Whether all that were started still run."""
        return all(_runs(pid) for pid in self.pids)

    def cut(self) -> None:
        """Kill every process that was started and all they started; also those that start from now on."""
        self._cut = True
        if self._reaped:
            return  # their numbers may be other processes' by now
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class TetheredProcess(context.SpawnProcess):
    """A process that is started with `begin`; its tether stays with the parent."""

    tether: Tether | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "tether"}

    @staticmethod
    def _Popen(process_obj: process.BaseProcess) -> Any:  # noqa: N802 - multiprocessing's name
        return _Popen(process_obj, process_obj.tether)  # type: ignore[attr-defined]


class _TetheredContext(context.SpawnContext):
    def __init__(self, tether: Tether) -> None:
        self._tether = tether

    def Process(self, *args: Any, **kwargs: Any) -> TetheredProcess:  # type: ignore[override]  # noqa: N802
        made = TetheredProcess(*args, **kwargs)
        made.tether = self._tether
        return made


def tethered_context(tether: Tether) -> context.SpawnContext:
    """A multiprocessing context (spawn) whose children begin in `begin`, and don't run the parent's __main__ again."""
    return _TetheredContext(tether)


@dataclass(frozen=True)
class _Child:
    """A process that waits for its orders: `orders` is the pipe to write them to, `sentinel` closes when it ends."""

    pid: int
    orders: int
    sentinel: int

    def give_up(self) -> None:
        os.close(self.orders)
        os.close(self.sentinel)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def _spawn(tether: Tether, modules: Sequence[str], fds: Sequence[int], environment: dict[str, str]) -> _Child:
    tracker: int = resource_tracker.getfd()  # type: ignore[assignment]
    sentinel, child_end = os.pipe()
    child_orders, orders = os.pipe()
    program = (
        f"import sys; sys.path.insert(0, {_PACKAGES!r}); from ragapp.engine import lifeline; sys.path.pop(0); "
        f"lifeline.begin({os.getpid()}); "
        f"lifeline.obey({child_orders}, {tracker}, {tuple(modules)!r})"
    )
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    command = [spawn.get_executable(), *flags, "-c", program, "--multiprocessing-fork"]
    kept = {*fds, tracker, child_end, child_orders} - {0, 1, 2}
    process = subprocess.Popen(
        command,
        env=environment | tether.environment | {_INSIDE: "1"},
        pass_fds=tuple(kept),
        stdin=subprocess.DEVNULL,
        stdout=tether.output_fd,
        stderr=tether.output_fd,
        process_group=None if _INSIDE in os.environ else 0,
    )
    process.returncode = 0  # multiprocessing waits for it, not subprocess
    os.close(child_end)
    os.close(child_orders)
    tether.started(process.pid)
    return _Child(process.pid, orders, sentinel)


class _Popen(popen_spawn_posix.Popen):
    """multiprocessing's spawn by way of `_spawn`, and without the parent's script: vLLM's processes have no use for
    it, and running it there would need a guard in every script."""

    def __init__(self, process_obj: process.BaseProcess, tether: Tether) -> None:
        self._tether = tether
        super().__init__(process_obj)

    def _launch(self, process_obj: process.BaseProcess) -> None:
        prepared = spawn.get_preparation_data(process_obj.name)
        for script in ("init_main_from_name", "init_main_from_path"):
            prepared.pop(script, None)
        orders = io.BytesIO()
        context.set_spawning_popen(self)
        try:
            for order in (dict(os.environ) | self._tether.environment, prepared, process_obj):
                reduction.dump(order, orders)
        finally:
            context.set_spawning_popen(None)
        child = self._tether.child(self._fds)  # type: ignore[attr-defined]
        self.pid, self.sentinel = child.pid, child.sentinel
        self._tether.handed(self)
        self.finalizer = util.Finalize(self, os.close, (child.sentinel,))
        with open(child.orders, "wb") as pipe:  # noqa: PTH123 - a file descriptor
            pipe.write(orders.getbuffer())


def begin(parent: int) -> None:
    """The first thing that a tethered child does. `parent` is the process that started it."""
    watch(parent)
    refuse_if_told()
    inner = Tether(1)
    context.SpawnProcess._Popen = staticmethod(lambda process_obj: _Popen(process_obj, inner))  # type: ignore[method-assign]


def obey(orders: int, tracker: int, modules: Sequence[str]) -> NoReturn:
    """Import what will be needed, then wait for the orders and carry them out, as a spawned child does."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"
    )
    resource_tracker._resource_tracker._fd = tracker  # type: ignore[attr-defined]
    with contextlib.suppress(ImportError):
        from tqdm import tqdm  # type: ignore[import-untyped]

        # its own lock is a semaphore shared between processes, which a killed process leaves behind
        tqdm.set_lock(threading.RLock())
    for module in modules:
        with contextlib.suppress(ImportError):  # whoever needs it will say so
            importlib.import_module(module)
    parent_end = os.dup(orders)
    me = process.current_process()
    with open(orders, "rb") as pipe:
        me._inheriting = True  # type: ignore[attr-defined]
        try:
            os.environ.update(pickle.load(pipe))  # noqa: S301 - from the process that started this one
            spawn.prepare(pickle.load(pipe))  # noqa: S301
            work = pickle.load(pipe)  # noqa: S301
        finally:
            del me._inheriting  # type: ignore[attr-defined]
    code = work._bootstrap(parent_end)
    # everything that was registered to run at exit has run; taking torch's heap apart would take seconds more
    sys.stdout.flush()
    os._exit(code)


def watch(parent: int) -> None:
    """Kill this process's group as soon as `parent` is gone."""
    try:
        handle: int | None = os.pidfd_open(parent)
    except OSError:
        handle = None  # an old kernel, a sandbox, or a parent that is gone already: the loop finds out
    threading.Thread(target=_wait_and_follow, args=(parent, handle), name="ragapp-lifeline", daemon=True).start()


def _wait_and_follow(parent: int, handle: int | None) -> None:
    if handle is not None and os.getppid() == parent:
        select.select([handle], [], [])
    while os.getppid() == parent:
        time.sleep(_POLL_S)
    if folder := os.environ.get(_FOLDER):
        shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)
