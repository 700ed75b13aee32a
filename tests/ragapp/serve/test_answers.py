"""An answer is a resource: its events can be read again, it can be stopped, and rights hold at every reading."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from ragapp.answer.events import Event
from ragapp.catalog.service_rows import AnswerRow
from ragapp.serve.rights import Rights
from ragapp.serve.withheld import WITHHELD
from ragapp.types import Principal

from .conftest import Service, wait_until

QUESTION = "When does the office open?"
SECRET = "For how much does the firm buy the Ostrava foundry?"


def events(response: httpx.Response) -> list[dict[str, Any]]:
    """Server-sent events as dictionaries."""
    told = []
    for block in response.read().decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if fields:
            told.append({"id": fields.get("id"), "event": fields["event"], "data": json.loads(fields["data"])})
    return told


def ask(client: httpx.Client, question: str = QUESTION, **more: Any) -> dict[str, Any]:
    response = client.post("/v1/answers", json={"question": question, **more})
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_one_json_with_every_sentence_cited(bob: httpx.Client) -> None:
    answer = ask(bob)
    assert answer["state"] == "answered"
    assert "7:45" in answer["answer"]
    cited = {citation["marker"] for citation in answer["citations"]}
    assert all(set(sentence["markers"]) <= cited for sentence in answer["sentences"])
    again = bob.get(f"/v1/answers/{answer['id']}").json()
    assert again == answer


def test_events_as_they_come_and_again_from_any_point(bob: httpx.Client) -> None:
    with bob.stream("POST", "/v1/answers", json={"question": QUESTION, "stream": True}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        first = events(response)
        name = response.headers["x-answer-id"]
    numbered = [event for event in first if event["id"]]
    assert [event["event"] for event in numbered][:3] == ["passages", "citation", "sentence"]
    assert numbered[-1]["event"] == "done"
    assert [event["id"] for event in numbered] == [str(n + 1) for n in range(len(numbered))]
    assert events(bob.get(f"/v1/answers/{name}/events")) == numbered
    later = events(bob.get(f"/v1/answers/{name}/events", headers={"last-event-id": "2"}))
    assert later == numbered[2:]


def test_what_nobody_told_is_not_in_the_documents(bob: httpx.Client) -> None:
    answer = ask(bob, "Who won the football world cup in 1974?")
    assert (answer["state"], answer["sentences"]) == ("not_found", [])


def test_an_answer_is_its_askers_alone(service: Service, ada: httpx.Client, bob: httpx.Client) -> None:
    answer = ask(ada)
    for method, path in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
        assert bob.request(method, f"/v1/answers/{answer['id']}{path}").status_code == 404


def test_documents_of_another_group_are_in_no_part_of_an_answer(ada: httpx.Client, bob: httpx.Client) -> None:
    assert "31 million" in ask(ada, SECRET)["answer"]
    with bob.stream("POST", "/v1/answers", json={"question": SECRET, "stream": True}) as response:
        told = json.dumps(events(response))
    assert "31 million" not in told and "merger" not in told.lower()


def test_who_loses_a_group_loses_earlier_answers_and_the_history(service: Service, ada: httpx.Client) -> None:
    people = service.house.catalog.people
    person = people.find(name="ada")
    assert person
    answer = ask(ada, SECRET, new_conversation=True)
    people.set_groups(person.id, [])
    try:
        seen = ada.get(f"/v1/answers/{answer['id']}")
        assert seen.json()["answer"] == WITHHELD and seen.json()["withheld"]
        replay = ada.get(f"/v1/answers/{answer['id']}/events").text
        follow_up = ask(ada, "And in which month?", conversation_id=answer["conversation_id"])
        for text in (seen.text, replay, json.dumps(follow_up)):
            assert "31 million" not in text and "in May" not in text
    finally:
        people.set_groups(person.id, ["board"])
    assert "31 million" in ada.get(f"/v1/answers/{answer['id']}").text


class TestReadWhileItIsAnswered:
    @pytest.fixture
    def begins(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
        """No answer goes beyond its place in the line until this is set."""
        begins, stream = threading.Event(), service.house.rag.astream

        async def held(*asked: Any, **how: Any) -> AsyncIterator[Event]:
            await asyncio.to_thread(begins.wait, 60)
            async for event in stream(*asked, **how):
                yield event

        monkeypatch.setattr(service.house.rag, "astream", held)
        return begins

    def test_what_is_found_while_rights_are_looked_up_is_no_loss_of_rights(
        self, service: Service, bob: httpx.Client, begins: threading.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        look, looked = Rights.look, threading.Event()

        def slowly(rights: Rights, documents: frozenset[str] = frozenset()) -> Principal:
            if not looked.is_set():
                # a reader's look, in which the answer begins and finds its passages
                looked.set()
                begins.set()
                wait_until(lambda: bool(live.documents))
            return look(rights, documents)

        with bob.stream("POST", "/v1/answers", json={"question": QUESTION, "stream": True}) as response:
            name = response.headers["x-answer-id"]
            live = service.house.answers.get(name)
            assert live
            monkeypatch.setattr(Rights, "look", slowly)
            last = events(bob.get(f"/v1/answers/{name}/events"))[-1]
        assert (last["event"], last["data"].get("state")) == ("done", "answered"), last

    def test_an_answer_that_ends_while_it_is_looked_up_is_told_whole(
        self, service: Service, bob: httpx.Client, begins: threading.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        conversations = service.house.catalog.conversations
        read = conversations.answer

        def slowly(answer_id: str, person_id: str) -> AnswerRow | None:
            row = read(answer_id, person_id)
            if not begins.is_set():
                begins.set()
                wait_until(lambda: service.house.answers.get(answer_id) is None)
            return row

        with bob.stream("POST", "/v1/answers", json={"question": QUESTION, "stream": True}) as response:
            name = response.headers["x-answer-id"]
            monkeypatch.setattr(conversations, "answer", slowly)
            told = [event for event in events(bob.get(f"/v1/answers/{name}/events")) if event["id"]]
            assert told == [event for event in events(response) if event["id"]]
        assert (told[-1]["event"], told[-1]["data"]["state"]) == ("done", "answered")


def test_stopping_frees_the_engine(service: Service, bob: httpx.Client) -> None:
    with bob.stream("POST", "/v1/answers", json={"question": QUESTION, "stream": True}) as response:
        name = response.headers["x-answer-id"]
        assert bob.delete(f"/v1/answers/{name}").status_code == 204
        assert events(response)[-1]["event"] in ("error", "done")
    wait_until(lambda: service.house.rag.engine.running() == 0)
    assert bob.get(f"/v1/answers/{name}").json()["state"] in ("stopped", "answered")


@pytest.mark.parametrize(("more", "state"), [({}, "stopped"), ({"new_conversation": True}, "answered")])
def test_who_leaves_outside_a_conversation_stops_the_answer(
    service: Service, bob: httpx.Client, more: dict[str, Any], state: str
) -> None:
    with bob.stream("POST", "/v1/answers", json={"question": QUESTION, "stream": True, **more}) as response:
        name = response.headers["x-answer-id"]
    wait_until(lambda: service.house.answers.get(name) is None)
    ended = bob.get(f"/v1/answers/{name}").json()
    # an answer that is quicker than the leaving is complete
    assert ended["state"] in {state, "answered"}


class TestBadRequests:
    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b'{"question": ""}', b'{"question": 3}', b'{"question": "x", "questoin": "y"}']
    )
    def test_each_is_one_sentence_that_names_the_field(self, bob: httpx.Client, body: bytes) -> None:
        response = bob.post("/v1/answers", content=body, headers={"content-type": "application/json"})
        assert response.status_code == 422
        problem = response.json()
        assert response.headers["content-type"] == "application/problem+json"
        assert problem["detail"].startswith("The request can't be used: ")
        assert problem["request_id"] == response.headers["x-request-id"]

    def test_a_conversation_of_somebody_else(self, ada: httpx.Client, bob: httpx.Client) -> None:
        conversation = ask(ada, new_conversation=True)["conversation_id"]
        response = bob.post("/v1/answers", json={"question": QUESTION, "conversation_id": conversation})
        assert (response.status_code, response.json()["detail"]) == (
            404,
            "There is no such conversation, or you may not see it.",
        )

    def test_a_question_longer_than_the_context(self, bob: httpx.Client) -> None:
        response = bob.post("/v1/answers", json={"question": "7 " * 9_900})
        assert response.status_code == 413
        assert "tokens" in response.json()["detail"]

    def test_a_body_beyond_the_limit(self, bob: httpx.Client) -> None:
        response = bob.post("/v1/answers", content=b"x" * (2 << 20))
        assert response.status_code == 413
