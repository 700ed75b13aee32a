"""ask and search while a service has the data folder open: it answers, in the forms that the commands have alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from ragapp.answer.events import Event
from ragapp.cli.commands import app
from ragapp.errors import EngineError, RagappError
from ragapp.serve.run import told

from .conftest import Service

pytestmark = pytest.mark.engine
QUESTION = "When does the office open?"


@pytest.fixture
def open_house(service: Service) -> Iterator[Service]:
    """The service, found by this machine's commands."""
    with told(service.house.data, service.url, service.house.handover_secret):
        yield service


def run(service: Service, *arguments: str, said: str | None = None) -> Result:
    return CliRunner().invoke(app, [*arguments, "--data", str(service.house.data)], input=said)


def test_a_question(open_house: Service) -> None:
    done = run(open_house, "ask", QUESTION, "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert answer["status"] == "answered" and "7:45" in answer["answer"]
    assert "7:45" in answer["citations"][0]["quote"]
    assert answer["usage"]["prompt_tokens"] > 0 and answer["timings"]["total_s"] > 0
    assert "has this data folder open and does it" in done.stderr
    shown = run(open_house, "ask", QUESTION, "--quiet")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert "7:45" in shown.stdout and "  [1] " in shown.stdout


def test_what_is_not_there(open_house: Service) -> None:
    done = run(open_house, "ask", "Who repairs the reactor's cooling tower in Brisbane?")
    assert done.exit_code == 0, done.output
    assert "not in your documents" in done.stdout and "nearest: " in done.stdout


def test_a_conversation_is_kept_by_the_service(open_house: Service) -> None:
    person, conversations = open_house.house.local_person().id, open_house.house.catalog.conversations
    before = {row.id for row in conversations.list(person)}
    done = run(open_house, "ask", said=f"{QUESTION}\nAnd in which class are trains booked?\n")
    assert done.exit_code == 0, done.output
    assert "7:45" in done.stdout and "second class" in done.stdout
    (talk,) = {row.id for row in conversations.list(person)} - before
    assert conversations.answers(talk, person)[0].question == QUESTION
    assert len(conversations.answers(talk, person)) == 2


def test_questions_of_a_file(open_house: Service, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "question": QUESTION},
        {"id": "b", "question": "And then?", "history": [["When does it close?", "Never."]]},
        {"id": "c", "question": ""},
    ]
    file = tmp_path / "questions.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    done = run(open_house, "ask", "--questions", str(file))
    assert done.exit_code == 1, done.output
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert first["status"] == "answered" and "history" in second["error"] and third["error"]


def test_a_search(open_house: Service) -> None:
    found = json.loads(run(open_house, "search", "office opens", "--limit", "2", "--json").stdout)["passages"]
    alone = open_house.house.rag.search("office opens", limit=2)
    assert [each["text"] for each in found] == [passage.text for passage in alone]
    assert found[0]["ranks"] == {stage: score.rank for stage, score in alone[0].scores.items()}


def test_an_answer_that_breaks_off_is_one_sentence(open_house: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> AsyncIterator[Event]:
        raise EngineError("The engine has died; ask again.")
        yield

    monkeypatch.setattr(open_house.house.rag, "astream", broken)
    done = run(open_house, "ask", QUESTION)
    assert isinstance(done.exception, EngineError) and str(done.exception) == "The engine has died; ask again."


def test_measuring_wants_the_folder_for_itself(open_house: Service, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"id": "a", "question": "When?"}')
    done = run(open_house, "eval", "run", str(tmp_path / "q.jsonl"))
    assert isinstance(done.exception, RagappError) and "stop it" in str(done.exception)
