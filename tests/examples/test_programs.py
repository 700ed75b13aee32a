"""Every program in examples/ and the README's sample run as they are printed."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

import ragapp.app
from ragapp import RagApp, Settings
from ragapp.engine.vllm import VllmEngine

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, models_dir: Path, resting_engine: VllmEngine) -> Iterator[RagApp]:
    """One data folder for all programs, with the session's engine."""
    settings = Settings(data=tmp_path_factory.mktemp("programs"))
    with RagApp(settings, models_dir=models_dir, engine=resting_engine) as app:
        yield app


@pytest.fixture
def run(shared: RagApp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[Path], str]:
    """Runs a program as `python PROGRAM` would, except that its RagApp() is the shared one; returns what it printed."""

    @contextmanager
    def standing_in() -> Iterator[RagApp]:
        yield shared

    monkeypatch.setattr(ragapp.app, "RagApp", standing_in)

    def call(program: Path) -> str:
        runpy.run_path(str(program), run_name="__main__")
        return capsys.readouterr().out

    return call


def test_ask_from_python(run: Callable[[Path], str]) -> None:
    said = run(EXAMPLES / "ask_from_python.py")
    assert "175 pounds" in said
    assert re.search(r"\[1\] .+, page ", said)


def test_stream_an_answer(run: Callable[[Path], str]) -> None:
    said = run(EXAMPLES / "stream_an_answer.py")
    assert said.startswith("reading ")
    assert re.search(r"(answered|not_found) in [\d.]+ s\s*$", said)


def test_own_stage(run: Callable[[Path], str]) -> None:
    said = run(EXAMPLES / "own_stage.py")
    assert said.startswith("answered ")
    assert said.endswith("not_found pay is for the people team to explain\n")


def test_langgraph_agent(run: Callable[[Path], str]) -> None:
    first, second = run(EXAMPLES / "langgraph_agent.py").strip().splitlines()
    assert "30 days" in first
    assert "nothing in the documents" in second


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_sample_in_the_documentation(
    page: str,
    tmp_path: Path,
    models_dir: Path,
    resting_engine: VllmEngine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    sample = next(code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "app.ask(" in code)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "leave.md").write_text("# Leave\n\nEvery employee has 30 days of leave a year.\n")
    program = tmp_path / "sample.py"
    program.write_text(sample)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAGAPP_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(ragapp.app, "RagApp", partial(RagApp, models_dir=models_dir, engine=resting_engine))
    runpy.run_path(str(program), run_name="__main__")
    assert "30 days" in capsys.readouterr().out
