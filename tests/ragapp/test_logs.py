"""The log keeps off the terminal, also where it can't be written, and leaves the program around us its own messages."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ragapp import RagApp, logs
from ragapp.cli.options import open_app
from ragapp.errors import RagappError
from ragapp.logs import beside, log_path, open_log, open_process_log, request_id, within_request
from ragapp.serve.run import serve
from ragapp.settings import PrivacySettings, ServeSettings, Settings

NAMES = ("", "ragapp", "ingest", "httpx", "uvicorn", "langchain", "py.warnings", "vllm", "transformers", "torch")
"""Loggers that a host may have set up; the first is the root."""


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Apps that other tests of this process have open don't take part."""
    others, logs._open[:] = list(logs._open), []
    logs._arrange()
    yield
    for log in list(logs._open):
        log.close()
    logs._open[:] = others
    logs._arrange()


def lines(settings: Settings) -> list[dict[str, object]]:
    return [json.loads(line) for line in log_path(settings).read_text(encoding="utf-8").splitlines()]


def messages(folder: Path) -> list[object]:
    """What the log of a data folder says; nothing where there is none."""
    settings = Settings(data=folder)
    return [line["message"] for line in lines(settings)] if log_path(settings).exists() else []


def as_it_is() -> dict[str, object]:
    """All that a host sees of its loggers."""
    found = {name: logging.getLogger(name) for name in NAMES}
    kept = {name: (list(log.handlers), log.propagate, log.level) for name, log in found.items()}
    return {**kept, "warnings": warnings.showwarning}


def allowing_text(folder: Path) -> Settings:
    return Settings(data=folder, privacy=PrivacySettings(log_text=True))


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


HOST = """
import logging, sys, warnings
from ragapp import RagApp
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(name)s: %(message)s")
logging.captureWarnings(sys.argv[2] == "captured")

def speak(when):
    for name in ("httpx", "uvicorn.error", "langchain", "transformers", "host"):
        logging.getLogger(name).warning(when)
    for name in ("httpx", "uvicorn.access", "ragapp.answer", "ingest", "vllm.engine"):
        logging.getLogger(name).info("INFO " + when)
    warnings.warn(when)

with RagApp(data=sys.argv[1]):
    speak("while it is open")
speak("afterwards")
"""


@pytest.mark.parametrize("warned", ["captured", "printed"])
def test_the_program_around_us_keeps_its_messages(tmp_path: Path, warned: str) -> None:
    program = [sys.executable, "-W", "always", "-c", HOST, str(tmp_path), warned]
    ran = subprocess.run(program, capture_output=True, text=True, check=True)
    said = ran.stdout.splitlines()
    for name in ("httpx", "uvicorn.error", "langchain", "transformers", "host"):
        assert f"{name}: while it is open" in said and f"{name}: afterwards" in said
    for name in ("httpx", "uvicorn.access"):
        assert f"{name}: INFO while it is open" in said and f"{name}: INFO afterwards" in said
    for name in ("ragapp.answer", "ingest", "vllm.engine"):
        assert f"{name}: INFO while it is open" not in said and f"{name}: INFO afterwards" in said
    heard = ran.stdout if warned == "captured" else ran.stderr
    assert "UserWarning: while it is open" in heard and "UserWarning: afterwards" in heard
    assert [(line["logger"], line["message"]) for line in lines(Settings(data=tmp_path))] == [
        ("transformers", "while it is open"),
        ("ragapp.answer", "INFO while it is open"),
        ("ingest", "INFO while it is open"),
    ]


SCRIPT = """
import sys
from ragapp import RagApp
if __name__ == "__main__":
    with RagApp(data=sys.argv[1]) as app:
        app.ingest(sys.argv[2])
        print(app.search("When does the depot close?")[0].title)
"""


def test_a_script_that_sets_nothing_up_prints_what_it_prints(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "memo.md").write_text("# Memo\n\nThe depot in Hull closes in May.\n")
    (tmp_path / "docs" / "page.html").write_text("<html><body><h1>Notes</h1><p>Nothing of note.</p></body></html>")
    program = [sys.executable, "-c", SCRIPT, str(tmp_path / "data"), str(tmp_path / "docs")]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    ran = subprocess.run(program, capture_output=True, text=True, check=False, env=environment)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "Memo\n", "")


@pytest.mark.parametrize("order", itertools.permutations(range(3)))
def test_all_is_as_it_was_in_whatever_order_apps_are_closed(tmp_path: Path, order: tuple[int, ...]) -> None:
    before = as_it_is()
    apps = [RagApp(data=tmp_path / str(number)) for number in range(2)]
    opened = [*(app.close for app in apps), open_process_log(Settings(data=tmp_path / "2")).close]
    assert as_it_is() != before
    for number in order:
        opened[number]()
    assert as_it_is() == before
    apps[0].close()
    assert as_it_is() == before


def test_what_the_host_sets_while_an_app_is_open_stays(tmp_path: Path) -> None:
    own = logging.getLogger("ragapp")
    level, handler = own.level, logging.NullHandler()
    try:
        with RagApp(data=tmp_path):
            own.setLevel(logging.DEBUG)
            own.addHandler(handler)
        assert (own.level, own.handlers, own.propagate) == (logging.DEBUG, [handler], True)
    finally:
        own.setLevel(level)
        own.removeHandler(handler)


def test_two_apps_have_each_line_both_where_neither_allows_text(tmp_path: Path) -> None:
    with RagApp(data=tmp_path / "a"), RagApp(data=tmp_path / "b"):
        logging.getLogger("ragapp.test").info("figures")
    assert messages(tmp_path / "a") == messages(tmp_path / "b") == ["figures"]


@pytest.mark.parametrize("first", ["a", "b"])
def test_a_question_that_one_app_writes_down_is_never_in_the_log_of_another(tmp_path: Path, first: str) -> None:
    log = logging.getLogger("ragapp.answer.chain")
    settings = {"a": allowing_text(tmp_path / "a"), "b": Settings(data=tmp_path / "b")}
    second = {"a": "b", "b": "a"}[first]
    apps = {name: RagApp(settings[name]) for name in (first, second)}
    log.info("answered", extra=beside(question="What does the director earn?"))
    log.warning("in the message: What does the director earn?")
    apps["a"].close()
    log.info("asked before, answered after", extra=beside(question="What does the director earn?"))
    log.info("figures", extra=beside(passages=3))
    apps["b"].close()
    assert messages(tmp_path / "a") == ["answered", "in the message: What does the director earn?"]
    assert messages(tmp_path / "b") == ["figures"]


def test_two_that_allow_text_have_it_both(tmp_path: Path) -> None:
    with RagApp(allowing_text(tmp_path / "a")), RagApp(allowing_text(tmp_path / "b")):
        logging.getLogger("ragapp.answer.chain").info("answered", extra=beside(question="What does it cost?"))
    assert messages(tmp_path / "a") == messages(tmp_path / "b") == ["answered"]


def test_two_apps_of_one_folder_write_a_line_once(tmp_path: Path) -> None:
    (tmp_path / "same").symlink_to(tmp_path / "data")
    (tmp_path / "data").mkdir()
    with RagApp(data=tmp_path / "data"), RagApp(data=tmp_path / "same"):
        logging.getLogger("ragapp.test").info("once")
    assert messages(tmp_path / "data") == ["once"]


def test_a_process_of_our_own_writes_down_what_every_library_says(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(open_process_log(Settings(data=tmp_path))), RagApp(data=tmp_path):
        for name in ("httpx", "uvicorn.error", "langchain_core", "qdrant_client", "ragapp"):
            logging.getLogger(name).warning("from %s", name)
        logging.getLogger("httpx").info("of no interest")
        logging.getLogger("py.warnings").warning("a warning of Python's")
    assert messages(tmp_path) == [
        "from httpx", "from uvicorn.error", "from langchain_core", "from qdrant_client", "from ragapp",
        "a warning of Python's",
    ]  # fmt: skip
    assert capfd.readouterr() == ("", "")


def test_handlers_that_libraries_bring_along_write_nothing_to_the_terminal_of_our_own_process(tmp_path: Path) -> None:
    program = (
        "import logging, sys; from pathlib import Path; from ragapp import Settings\n"
        "from ragapp.logs import open_process_log\n"
        "log = open_process_log(Settings(data=Path(sys.argv[1])))\n"
        "from transformers.utils import logging as theirs\n"
        "theirs.get_logger('transformers.models').warning('while it is open')\nlog.close()\n"
        "theirs.get_logger('transformers.models').warning('afterwards')"
    )
    ran = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert ran.stderr == "[transformers] afterwards\n"
    assert messages(tmp_path) == ["while it is open"]


def test_the_service_is_such_a_process(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(data=tmp_path, serve=ServeSettings(port=taken.getsockname()[1], single_user=True))
        with RagApp(settings) as rag, pytest.raises(RagappError, match="can't listen"):
            serve(rag, print)
    logging.getLogger("uvicorn.error").error("the last words")
    assert messages(tmp_path) == ["the last words"]


def test_pythons_own_warnings_go_to_the_log_of_our_own_process_and_nowhere_after_it(tmp_path: Path) -> None:
    program = (
        "import sys, warnings; from pathlib import Path; from ragapp import Settings\n"
        "from ragapp.logs import open_process_log\n"
        "log = open_process_log(Settings(data=Path(sys.argv[1])))\n"
        "warnings.warn('while it is open')\nlog.close()\nwarnings.warn('afterwards')"
    )
    command = [sys.executable, "-W", "always", "-c", program, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "UserWarning: afterwards" in ran.stderr and "while it is open" not in ran.stderr
    (said,) = messages(tmp_path)
    assert "UserWarning: while it is open" in str(said)


def test_the_command_lines_log_outlives_its_app(tmp_path: Path) -> None:
    with open_app(None, tmp_path / "a", quiet=True):
        logging.getLogger("httpx").warning("while it is open")
    logging.getLogger("ragapp").error("unexpected failure")
    with open_app(None, tmp_path / "b", quiet=True):
        logging.getLogger("ragapp").error("another command of the same process")
    assert messages(tmp_path / "a") == ["while it is open", "unexpected failure"]
    assert messages(tmp_path / "b") == ["another command of the same process"]
