"""A service that is stopped: Ctrl-C is how one does it, and no fault; nothing of it stays."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil

from .conftest import wait_until


def lives(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live", timeout=30).is_success
    except httpx.HTTPError:
        return False


def test_ctrl_c_in_a_terminal(tmp_path: Path, models_dir: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "models").symlink_to(models_dir)
    command = [sys.executable, "-m", "ragapp", "up", "--no-examples", "--port", "0", "--data", str(data)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr
        found = re.search(r"listens on (http://127\.0\.0\.1:\d+)", process.stderr.readline())
        assert found
        wait_until(lambda: lives(found[1]))
        below = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(timeout=60) == 0, said
    assert said.splitlines()[-1] == "ragapp has stopped."
    assert not (data / "service.json").exists()
    assert not [child for child in psutil.wait_procs(below, timeout=10)[1] if child.is_running()]
