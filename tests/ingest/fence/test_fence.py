"""A call behind the fence gives its answer, and a worker that swells, hangs or dies costs that call alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.fence.fence import Fence, FenceLimits
from ragapp.errors import KeptOut, PassingFault, Unreadable


def double(number: int) -> int:
    return 2 * number


def swell() -> int:
    return len(bytearray(4 << 30))


def hang() -> None:
    time.sleep(600)


def die(sign: int) -> None:
    os.kill(os.getpid(), sign)


def damaged() -> None:
    raise Unreadable("is damaged")


def chatter() -> None:
    os.write(1, b"noise on stdout")
    os.write(2, b"noise on stderr")


@pytest.fixture
def fence() -> Iterator[Fence]:
    with Fence(FenceLimits(workers=1, memory_mib=512, timeout_s=1.5)) as made:
        yield made


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_no_worker_starts_before_the_first_call_and_one_serves_many(fence: Fence) -> None:
    assert not fence._all
    assert [fence.call(double, number) for number in range(3)] == [0, 2, 4]
    assert len({fence.call(os.getpid) for _ in range(3)}) == 1


def test_a_reason_comes_through(fence: Fence) -> None:
    with pytest.raises(Unreadable, match="is damaged") as caught:
        fence.call(damaged)
    assert not isinstance(caught.value, PassingFault)


def test_a_swollen_worker_costs_its_call(fence: Fence) -> None:
    with pytest.raises(KeptOut, match="needs more than 512 MiB of memory"):
        fence.call(swell)
    assert fence.call(double, 4) == 8


def test_a_hanging_worker_costs_its_call(fence: Fence) -> None:
    with pytest.raises(KeptOut, match="takes longer than"):
        fence.call(hang)
    assert fence.call(double, 4) == 8


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSEGV])
def test_a_dying_worker_costs_its_call(fence: Fence, sign: int) -> None:
    with pytest.raises(PassingFault, match=signal.Signals(sign).name):
        fence.call(die, sign)
    assert fence.call(double, 4) == 8


def test_workers_are_silent(fence: Fence, capfd: pytest.CaptureFixture[str]) -> None:
    fence.call(chatter)
    assert capfd.readouterr() == ("", "")


def test_workers_end_with_the_fence() -> None:
    with Fence(FenceLimits()) as fence:
        pid = fence.call(os.getpid)
    assert not Path(f"/proc/{pid}").exists()


def test_a_killed_owner_leaves_no_worker_and_its_script_runs_once(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "import os, signal\n"
        "from ingest.fence.fence import Fence, FenceLimits\n"
        "print(Fence(FenceLimits()).call(os.getpid), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    (pid,) = map(int, run.stdout.split())
    until = time.monotonic() + 10
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(pid)


def test_a_folder_that_is_worked_in_lends_the_worker_no_modules(
    fence: Fence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pickle.py").write_text("raise SystemExit('a document was run')\n")
    monkeypatch.chdir(tmp_path)
    assert fence.call(double, 4) == 8
