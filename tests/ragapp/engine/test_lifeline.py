"""kill -9 of the parent at any moment leaves no process of the engine behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

_SCRIPT = """
import sys
from pathlib import Path
from ragapp.engine.vllm import Sampling, VllmEngine
from ragapp.settings import ChatSettings, EngineSettings
engine = VllmEngine(Path(sys.argv[1]), EngineSettings(), ChatSettings())
engine.start()
print("started", flush=True)
for delta in engine.generate_stream("Once upon a time", Sampling(max_tokens=8000)):
    print("token", flush=True)
"""
# no guard around it: the engine must not run its user's script again


def _start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", _SCRIPT, str(folder)], stdout=subprocess.PIPE, text=True)


def _descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def _kill_and_watch(parent: subprocess.Popen[str], seconds: float = 5) -> None:
    """SIGKILL the parent; every process below it must be gone within `seconds`."""
    family = _descendants(parent.pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    _, alive = psutil.wait_procs(family, timeout=seconds)
    names = [process.cmdline() for process in alive if process.is_running()]
    for process in alive:
        process.kill()
    assert not names


@pytest.mark.parametrize(
    "moment", [0.3, random.uniform(0.5, 4), random.uniform(4, 10)], ids=["at once", "soon", "late"]
)
def test_while_it_starts(chat_folder: Path, moment: float) -> None:
    parent = _start(chat_folder)
    time.sleep(moment)
    _kill_and_watch(parent)


@pytest.mark.engine
def test_while_it_generates(chat_folder: Path) -> None:
    parent = _start(chat_folder)
    assert parent.stdout
    assert [parent.stdout.readline() for _ in range(3)][-1] == "token\n"
    assert _descendants(parent.pid)
    _kill_and_watch(parent)


def test_a_child_that_was_told_to_wait_for_orders_ends_with_its_parent() -> None:
    script = (
        "import os, time; from ragapp.engine.lifeline import Tether\n"
        "tether = Tether(os.open('/dev/null', os.O_WRONLY)); tether.prepare((), os.environ)\n"
        "print(tether.pids[0], flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = psutil.Process(int(parent.stdout.readline()))
    time.sleep(random.uniform(0, 0.5))
    _kill_and_watch(parent, seconds=3)
    assert not child.is_running()
