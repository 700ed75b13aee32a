"""The log keeps off the terminal, also where it can't be written."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import pytest

from ragapp.logs import beside, log_path, open_log, request_id, within_request
from ragapp.settings import Settings


def lines(settings: Settings) -> list[dict[str, object]]:
    return [json.loads(line) for line in log_path(settings).read_text(encoding="utf-8").splitlines()]


def test_a_line_goes_to_the_file(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    open_log(settings)
    logging.getLogger("ragapp.test").info("one %s", "line", extra=beside(files=3, seconds=0.25))
    (line,) = lines(settings)
    assert (line["level"], line["logger"], line["message"]) == ("INFO", "ragapp.test", "one line")
    assert (line["files"], line["seconds"]) == (3, 0.25)
    assert "request" not in line and "error" not in line


@pytest.mark.parametrize("said", ["two\nlines", 'quotes "', "\u2028", "\udce4", "\x00\x1b[31m"])
def test_whatever_is_said_is_one_line(tmp_path: Path, said: str) -> None:
    settings = Settings(data=tmp_path)
    open_log(settings)
    try:
        raise ValueError(said)
    except ValueError:
        logging.getLogger("ragapp.test").exception("%s", said, extra=beside(path=tmp_path))
    text = log_path(settings).read_text(encoding="utf-8")
    assert text.count("\n") == 1 and text.endswith("\n") and "\x1b" not in text
    line = json.loads(text)
    assert "ValueError" in line["error"] and line["path"] == str(tmp_path)


async def logged_by_a_task() -> None:
    await asyncio.to_thread(logging.getLogger("ragapp.test").info, "from a thread of a task")


def test_the_requests_id_is_on_all_that_it_causes(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    open_log(settings)
    with within_request("0f3c9a"):
        asyncio.run(logged_by_a_task())
        assert request_id() == "0f3c9a"
    logging.getLogger("ragapp.test").info("afterwards")
    assert [line.get("request") for line in lines(settings)] == ["0f3c9a", None]


def test_a_log_that_can_not_be_written_says_nothing_on_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data=tmp_path)
    log_path(settings).mkdir(parents=True)
    open_log(settings)
    logging.getLogger("ragapp.test").info("one line")
    assert capfd.readouterr() == ("", "")
