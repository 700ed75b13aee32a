"""The command line in this process, with the session's engine; what it prints and how it exits."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import ragapp.app
from ragapp import RagApp
from ragapp.cli import main
from ragapp.engine.vllm import VllmEngine


@dataclass(frozen=True)
class Ran:
    """One call of the command line."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    models_dir: Path,
    resting_engine: VllmEngine,
    tmp_path: Path,
) -> Run:
    monkeypatch.setattr(ragapp.app, "RagApp", partial(RagApp, engine=resting_engine, models_dir=models_dir))
    monkeypatch.setenv("RAGAPP_DATA", str(tmp_path / "data"))

    def call(*arguments: object, stdin: str = "") -> Ran:
        monkeypatch.setattr(sys, "argv", ["ragapp", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return call


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A folder with three small documents."""
    folder = tmp_path / "documents"
    (folder / "more").mkdir(parents=True)
    (folder / "office.md").write_text("# Office rules\n\nThe office opens at 7:30. The caretaker is Ida Nowak.\n")
    (folder / "travel.txt").write_text("Travel rules\n\nHotels in London cost up to 180 EUR a night.\n")
    (folder / "more" / "prices.csv").write_text("Item,Price\nValve,12.40 EUR\nHose,7.90 EUR\n")
    return folder
