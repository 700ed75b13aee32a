"""A graph is built by a process that gives way: it stands still while others go first, and outlives nobody."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ragapp.index import graph
from ragapp.index.edge import open_edge
from ragapp.index.graph import build_beside

from .test_edge import DIMENSIONS, points


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """The folder of a flushed shard that nobody has open."""
    index = open_edge(tmp_path, "f00", DIMENSIONS)
    index.upsert(points(500))
    index.close()
    return index.folder


def builders() -> list[psutil.Process]:
    """The processes that build, of which this one is the parent."""
    return [child for child in psutil.Process().children() if "optimize" in " ".join(child.cmdline())]


def test_it_stands_still_while_others_go_first_and_steps_back_behind_them(shard: Path) -> None:
    seen: list[tuple[str, int]] = []

    def give_way() -> None:
        (child,) = builders()
        until = time.monotonic() + 30
        while child.status() != psutil.STATUS_STOPPED and time.monotonic() < until:
            time.sleep(0.01)
        worked = child.cpu_times()
        time.sleep(0.3)
        assert child.cpu_times() == worked
        seen.append((child.status(), child.nice()))

    own = psutil.Process().nice()
    draft = build_beside(shard, 0, give_way)
    assert draft.exists()
    assert seen and all(status == psutil.STATUS_STOPPED and niceness > own for status, niceness in seen)
    assert not builders()


def test_where_nobody_waits_it_is_as_quick_as_it_can_be(shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        subprocess.Popen, "send_signal", lambda *_: pytest.fail("it was stopped although it needn't give way")
    )
    assert build_beside(shard, 0).exists()


def test_whoever_ends_the_wait_ends_the_building(shard: Path) -> None:
    def give_way() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_beside(shard, 0, give_way)
    assert not builders()
    assert not list(shard.parent.glob("*.graph"))


@pytest.mark.parametrize("give_way", [None, lambda: None])
def test_a_stop_ends_the_building_and_leaves_nothing(
    shard: Path, give_way: Callable[[], None] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "_TURN_S", 0.05)
    monkeypatch.setattr(graph, "_CHILD", "import time; print(flush=True); time.sleep(600)  # instead of optimize()")
    seen: list[int] = []

    def stop() -> bool:
        seen.append(len(builders()))
        return seen.count(1) == 3

    assert build_beside(shard, 0, give_way, stop) is None
    assert seen[-1] == 1 and not builders()
    assert not list(shard.parent.glob("*.graph"))


def test_a_stop_is_heard_while_the_shard_is_copied(shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "_run", lambda *_: pytest.fail("it was built"))
    assert build_beside(shard, 0, None, lambda: True) is None
    assert not list(shard.parent.glob("*.graph"))


def test_a_builder_that_stands_still_dies_with_its_parent(shard: Path) -> None:
    script = (
        "import os, pathlib, psutil, signal, sys\n"
        "from ragapp.index.graph import build_beside\n"
        "def give_way():\n"
        "    print(psutil.Process().children()[0].pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "build_beside(pathlib.Path(sys.argv[1]), 0, give_way)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, shard], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    child = int(done.stdout)
    until = time.monotonic() + 20
    while _goes_on(child):
        assert time.monotonic() < until, "it is there still"
        time.sleep(0.05)


def _goes_on(pid: int) -> bool:
    """Whether the process is there; a dead one that nobody has collected isn't."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
