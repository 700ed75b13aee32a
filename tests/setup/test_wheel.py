"""The wheel works in an empty folder, without the clone: profiles, prompts, model list and migrations are inside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Run = Callable[..., str]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this working tree, built with nothing fetched."""
    folder = tmp_path_factory.mktemp("dist")
    _uv("build", "--wheel", "--offline", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder, ROOT)
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def run(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs Python in an empty folder, where `ragapp` is the installed wheel."""
    installed = tmp_path_factory.mktemp("installed")
    empty = tmp_path_factory.mktemp("empty")
    _uv("pip", "install", "--offline", "--no-deps", "--python", sys.executable, "--target", installed, wheel)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("RAGAPP_", "PYTHON"))}
    environment = own | {"PYTHONPATH": str(installed), "RAGAPP_DATA": str(empty / "data"), "COLUMNS": "120"}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=empty,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = run("-c", "import ragapp, ingest; print(ragapp.__file__, ingest.__file__)")
    assert where.split() == [str(installed / name / "__init__.py") for name in ("ragapp", "ingest")]
    return run


def test_everything_that_is_read_at_run_time_is_inside(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    configs = [*(ROOT / "configs").glob("*.yaml"), *(ROOT / "configs" / "prompts").rglob("*.md")]
    assert configs
    assert {f"ragapp/{path.relative_to(ROOT)}" for path in configs} <= names
    beside_code = [path for path in (ROOT / "ragapp").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {str(path.relative_to(ROOT)) for path in beside_code} <= names
    # else mypy takes what `RagApp.ingest` returns for Any
    assert {"ragapp/py.typed", "ingest/py.typed"} <= names


def test_only_the_product_is_inside(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"ragapp", "ingest", "ui"}
    assert not [name for name in names if name.startswith(("ragapp/configs/locks", "ragapp/configs/setup"))]


def test_the_command_line_answers(run: Run) -> None:
    text = run("-m", "ragapp", "--help")
    assert "ingest" in text
    assert "ask" in text


def test_profiles_load(run: Run) -> None:
    program = (
        "from ragapp import Settings\n"
        "from ragapp.profiles import profile_names\n"
        "for name in profile_names(): print(name, Settings(profile=name).profile)\n"
        "print('default', Settings().profile)"
    )
    lines = run("-c", program).splitlines()
    assert "laptop laptop" in lines
    assert "gpu gpu" in lines
    assert "default laptop" in lines


def test_a_document_goes_in_and_is_found(run: Run, tmp_path: Path) -> None:
    note = tmp_path / "gate.md"
    note.write_text("# Gate\n\nThe east gate is locked at 22:15.\n")
    assert json.loads(run("-m", "ragapp", "ingest", str(note), "--json"))["added"] == 1
    [found] = json.loads(run("-m", "ragapp", "search", "When is the gate locked?", "--json"))["passages"]
    assert "22:15" in found["text"]


def _uv(*arguments: str | Path) -> None:
    uv = Path(sys.executable).parent / "uv"
    done = subprocess.run([uv, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
