"""docs/python.md: the samples that ask no model run as they are printed (the one that does: tests/examples)."""

from __future__ import annotations

import re
import runpy
from functools import partial
from pathlib import Path

import pytest

import ragapp.app
from ragapp import RagApp

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("narrow(", "agreement None Either side may end it with four weeks' notice.\n"),
        ("app.vectorstore(", "key The spare key is with Ida Nowak. {'by': 'reception'}\n"),
    ],
)
def test_a_sample_runs_as_it_is_printed(
    call: str,
    said: str,
    tmp_path: Path,
    models_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (sample,) = (
        code for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL) if call in code
    )
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "agreement.md").write_text("Either side may end it with four weeks' notice.\n")
    program = tmp_path / "sample.py"
    program.write_text(sample)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAGAPP_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(ragapp.app, "RagApp", partial(RagApp, models_dir=models_dir))
    runpy.run_path(str(program), run_name="__main__")
    assert capsys.readouterr().out == said
