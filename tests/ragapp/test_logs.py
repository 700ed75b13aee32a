"""The log keeps off the terminal, also where it can't be written."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from ragapp.logs import log_path, open_log
from ragapp.settings import Settings


def test_a_line_goes_to_the_file(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    open_log(settings)
    logging.getLogger("ragapp.test").info("one line")
    assert "INFO" in log_path(settings).read_text()
    assert "ragapp.test: one line" in log_path(settings).read_text()


def test_a_log_that_can_not_be_written_says_nothing_on_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data=tmp_path)
    log_path(settings).mkdir(parents=True)
    open_log(settings)
    logging.getLogger("ragapp.test").info("one line")
    assert capfd.readouterr() == ("", "")
