"""kill -9 of the parent at any moment leaves no process of the engine behind, and none of its files."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

_SCRIPT = """
import sys
from pathlib import Path
from ragapp.engine.vllm import Sampling, VllmEngine
from ragapp.settings import ChatSettings, EngineSettings
engine = VllmEngine(Path(sys.argv[1]), EngineSettings(), ChatSettings(), cache=Path(sys.argv[2]))
engine.start()
print("started", flush=True)
for delta in engine.generate_stream("Once upon a time", Sampling(max_tokens=8000)):
    print("token", flush=True)
"""
# no guard around it: the engine must not run its user's script again


@pytest.fixture
def outside() -> Iterator[Path]:
    """A home folder and one for temporary files, in which an engine must leave nothing; with a path for sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def _start(folder: Path, outside: Path) -> subprocess.Popen[str]:
    own = ("VLLM_CACHE_ROOT", "VLLM_RPC_BASE_PATH", "TORCHINDUCTOR_CACHE_DIR")  # of an engine that this process started
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(folder), str(folder.parent / "vllm")],
        stdout=subprocess.PIPE,
        text=True,
        env=kept | {"TMPDIR": str(outside), "HOME": str(outside)},
    )


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
def test_while_it_starts(chat_folder: Path, outside: Path, moment: float) -> None:
    parent = _start(chat_folder, outside)
    time.sleep(moment)
    _kill_and_watch(parent)


@pytest.mark.engine
def test_while_it_generates(chat_folder: Path, outside: Path) -> None:
    parent = _start(chat_folder, outside)
    assert parent.stdout
    assert [parent.stdout.readline() for _ in range(3)][-1] == "token\n"
    assert _descendants(parent.pid)
    [own] = outside.iterdir()
    assert sum(path.is_socket() for path in own.iterdir()) >= 2
    _kill_and_watch(parent)
    assert list(outside.iterdir()) == []


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


def test_a_child_clears_the_temporary_folder_that_its_parent_can_not(outside: Path) -> None:
    script = (
        "import os, time; from ragapp.engine.lifeline import Tether\n"
        "from ragapp.engine.temporary import TemporaryFolder\n"
        "folder = TemporaryFolder(); (folder.path / 'left').touch()\n"
        "tether = Tether(os.open('/dev/null', os.O_WRONLY), folder.path); tether.prepare((), os.environ)\n"
        "print(tether.pids[0], flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(outside)}
    )
    assert parent.stdout
    child = psutil.Process(int(parent.stdout.readline()))
    [own] = outside.iterdir()
    assert child.environ()["TMPDIR"] == str(own)
    _wait_until_it_watches(child)
    _kill_and_watch(parent)
    assert list(outside.iterdir()) == []


def _wait_until_it_watches(child: psutil.Process) -> None:
    """Until then the interpreter is starting, and there is nobody who could clear anything."""
    end = time.monotonic() + 30
    while child.num_threads() < 2:
        assert time.monotonic() < end
        time.sleep(0.02)
