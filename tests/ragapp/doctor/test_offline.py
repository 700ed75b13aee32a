"""The main job works with every way out refused: in this process, the readers' and the engine's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.engine
def test_the_main_job_wants_nothing_from_outside(tmp_path: Path, models_dir: Path, chat_folder: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "models").symlink_to(models_dir)
    program = "import sys; from ragapp.cli import main; sys.exit(main())"
    # a process of its own: what refuses can't be undone
    ran = subprocess.run(
        [sys.executable, "-c", program, "doctor", "--offline", "--json", "--quiet", "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    proof = json.loads(ran.stdout)
    assert (proof["answered"], proof["refused"]) == (True, [])
    assert "7:30" in proof["answer"]
