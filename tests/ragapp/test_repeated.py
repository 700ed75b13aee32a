"""What is said again and again stands in the log once a minute, and then how often it was."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from ragapp.logs import at_most, open_process_log, within_request
from ragapp.repeated import Repeated
from ragapp.settings import Settings


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def record(message: str = "no place", level: int = logging.ERROR, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("asyncio", level, __file__, 1, message, (), None)
    made.__dict__.update(more)
    return made


def messages(shown: Repeated, *records: logging.LogRecord, with_request: bool = False) -> list[str]:
    return [line.getMessage() for each in records for line in shown.shown(each, with_request)]


def test_the_same_is_said_once_and_then_counted() -> None:
    clock = Clock()
    lately = Repeated(clock)
    assert messages(lately, *(record("no place\nsocket 7") for _ in range(2048))) == ["no place\nsocket 7"]
    clock.now = 61
    assert messages(lately, record("another")) == ["2047 more in a minute: no place", "another"]
    assert messages(lately, record("no place")) == ["no place"], "it is news again"


def test_what_is_no_fault_is_always_said_unless_it_says_otherwise() -> None:
    lately = Repeated(Clock())
    assert len(messages(lately, *(record("answered", logging.INFO) for _ in range(50)))) == 50
    refused = [record("GET", logging.INFO, **at_most(20, "GET", "/", 401)) for _ in range(50)]
    assert len(messages(lately, *refused)) == 20
    assert [line.getMessage() for line in lately.rest()] == ["30 more in a minute: GET"]


def test_different_things_are_each_said() -> None:
    lately = Repeated(Clock())
    assert messages(lately, record("a"), record("b"), record("a")) == ["a", "b"]
    assert len(messages(lately, *(record(f"kind {number}") for number in range(5000)))) < 1002, "memory is bounded"


def test_a_failure_is_found_under_each_request_and_told_whole_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data=tmp_path)
    log = open_process_log(settings)
    try:
        for number in range(3):
            with within_request(f"request-{number}"):
                try:
                    _ = number / 0
                except ZeroDivisionError as error:
                    logging.getLogger("ragapp.serve.problems").error("unexpected failure", exc_info=error)
    finally:
        log.close()
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert [line["request"] for line in lines] == ["request-0", "request-1", "request-2"]
    assert ["Traceback" in line["error"] for line in lines] == [True, False, False]
    assert all("ZeroDivisionError" in line["error"] for line in lines)


def test_what_the_loop_says_is_in_the_log_and_not_on_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = open_process_log(Settings(data=tmp_path))
    try:
        for _ in range(100):
            logging.getLogger("asyncio").error("socket.accept() out of system resource")
            logging.getLogger("python_multipart.multipart").warning("Skipping data after last boundary")
    finally:
        log.close()
    assert capfd.readouterr().err == ""
    said = [json.loads(line)["message"] for line in log.path.read_text().splitlines()]
    assert len(said) == 4 and said[2].startswith("99 more in a minute")
