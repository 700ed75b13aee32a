"""The main job works with every way out refused: in this process, the readers' and the engine's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from ragapp.cli import main
from ragapp.doctor.offline import OfflineProof

UNWATCHED = "Native libraries and other programs could not be watched here: no network namespace is allowed."
ENTER = "import sys; from ragapp.doctor.alone import enter_empty_network; sys.exit(not enter_empty_network())"


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
    allowed = subprocess.run([sys.executable, "-c", ENTER], check=False).returncode == 0
    assert proof["watched"] == ("any program" if allowed else "Python code")


NATIVE = """
import contextlib, ctypes, pathlib, sys, types
from ragapp.doctor import offline
from ragapp.settings import Settings

class App(contextlib.nullcontext):
    "A job one of whose native libraries connects to somewhere (an IPv4 address and port, as C has them)."
    def __init__(self, *_, **__): super().__init__(self)
    def ingest(self, _):
        libc = ctypes.CDLL(None)
        libc.connect(libc.socket(2, 1, 0), bytes([2, 0, 0, 80, 203, 0, 113, 1] + [0] * 8), 16)
        return types.SimpleNamespace(failed=())
    def ask(self, _): return types.SimpleNamespace(status="answered", text="At 7:30.")

if not offline.enter_empty_network():  # a second one, made by the proof, is as empty
    sys.exit("not allowed")
offline.RagApp = App
print(offline.prove_offline(Settings(data=pathlib.Path(sys.argv[1])), print).refused)
"""


def test_what_no_python_code_tried_is_told_too(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", NATIVE, str(tmp_path)], capture_output=True, text=True, check=False)
    if "not allowed" in ran.stderr:
        pytest.skip("no network namespace is allowed here")
    assert ran.stdout.strip() == "('what native libraries or other programs tried, 1 times',)", ran.stderr


@pytest.mark.parametrize(
    ("refused", "watched", "said"),
    [
        ((), "any program", "Nothing tried to leave this machine, by any program."),
        ((), "Python code", f"Nothing tried to leave this machine, by Python code. {UNWATCHED}"),
        (("x",), "any program", "What is listed above was tried and refused; please report this."),
        (("x",), "Python code", f"What is listed above was tried and refused; please report this. {UNWATCHED}"),
    ],
)
def test_no_more_is_said_than_was_watched(
    refused: tuple[str, ...],
    watched: Literal["any program", "Python code"],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    proof = OfflineProof(True, "At 7:30.", refused, watched)
    monkeypatch.setattr("ragapp.doctor.offline.prove_offline", lambda settings, say: proof)
    monkeypatch.setattr(sys, "argv", ["ragapp", "doctor", "--offline"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == (2 if refused else 0)
    assert capsys.readouterr().out.splitlines()[-1] == said
