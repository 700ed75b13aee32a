"""A question that is asked instead of another takes its place, or nothing has happened."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from ragapp.answer.events import Done, Event, PassagesFound
from ragapp.errors import StorageFull
from ragapp.serve.answer_events import LOST
from ragapp.serve.answers import STOPPED
from ragapp.types import Answer, Passage, Timings, Turn, Usage

from .conftest import Service, wait_until
from .test_answers import events

Asked = dict[str, Sequence[Turn]]


def answer(question: str, passages: Sequence[Passage] = ()) -> Answer:
    return Answer(
        question, "not_found", "Nothing says so.", (), (), tuple(passages), (), Timings(0, None, 0), Usage(), "m",
        Turn(question, "Nothing says so."),
    )  # fmt: skip


@pytest.fixture
def asked(office: Service, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Histories of the questions that were taken up; one that says "wait" is answered when it is stopped."""
    found: Asked = {}

    async def stream(question: str, *, history: Sequence[Turn], **_: Any) -> AsyncIterator[Event]:
        found[question] = history
        yield PassagesFound(())
        if "wait" in question:
            await asyncio.sleep(3600)
        yield Done(answer(question))

    monkeypatch.setattr(office.house.rag, "astream", stream)
    return found


def ask(client: httpx.Client, question: str, **more: Any) -> dict[str, Any]:
    response = client.post("/v1/answers", json={"question": question, **more})
    assert response.status_code == 200, response.text
    return dict(response.json())


def questions(client: httpx.Client, conversation: str) -> list[str]:
    told = client.get(f"/v1/conversations/{conversation}").json()
    return [each["question"] for each in told["answers"]]


def full_line(office: Service, broken: pytest.MonkeyPatch) -> int:
    broken.setattr(office.house.line, "_longest", 0)
    return 429


def stopping(office: Service, broken: pytest.MonkeyPatch) -> int:
    broken.setattr(office.house.answers, "_closing", True)
    return 503


def test_what_is_asked_again_goes_with_all_after_it(office: Service, asked: Asked) -> None:
    with office.signed_in("bob") as bob:
        first = ask(bob, "First?", new_conversation=True)
        talk = first["conversation_id"]
        second = ask(bob, "Second?", conversation_id=talk)
        ask(bob, "Third?", conversation_id=talk)
        ask(bob, "Second, in other words?", conversation_id=talk, replaces=second["id"])
        assert questions(bob, talk) == ["First?", "Second, in other words?"]
    assert [turn.question for turn in asked["Third?"]] == ["First?", "Second?"]
    assert [turn.question for turn in asked["Second, in other words?"]] == ["First?"]


@pytest.mark.parametrize("refuse", [full_line, stopping])
def test_what_is_not_taken_takes_nothing_away_and_begins_nothing(
    office: Service, asked: Asked, monkeypatch: pytest.MonkeyPatch, refuse: Callable[..., int]
) -> None:
    with office.signed_in("bob") as bob:
        first = ask(bob, "First?", new_conversation=True)
        talk = first["conversation_id"]
        ask(bob, "Second?", conversation_id=talk)
        status = refuse(office, monkeypatch)
        again = {"question": "First?", "conversation_id": talk, "replaces": first["id"]}
        assert bob.post("/v1/answers", json=again).status_code == status
        assert questions(bob, talk) == ["First?", "Second?"]
        assert bob.post("/v1/answers", json={"question": "New?", "new_conversation": True}).status_code == status
        assert [each["id"] for each in bob.get("/v1/conversations").json()] == [talk]


def test_an_answer_whose_question_is_changed_meanwhile_is_stopped(office: Service, asked: Asked) -> None:
    with office.signed_in("bob") as bob, office.signed_in("bob") as elsewhere, ExitStack() as reading:
        long = {"question": "First, and wait?", "stream": True, "new_conversation": True}
        told = reading.enter_context(bob.stream("POST", "/v1/answers", json=long))
        old = told.headers["x-answer-id"]
        wait_until(lambda: bool(asked))
        talk = elsewhere.get(f"/v1/answers/{old}").json()["conversation_id"]
        ask(elsewhere, "First?", conversation_id=talk, replaces=old)
        assert office.house.answers.get(old) is None
        assert events(told)[-1]["data"]["detail"] == STOPPED
        assert questions(elsewhere, talk) == ["First?"]
    assert office.house.line.running == 0


def test_a_full_disk_loses_the_record_and_not_the_answer(
    office: Service, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise StorageFull("The disk is full.")

    monkeypatch.setattr(office.house.catalog.conversations, "settle", full)
    with office.signed_in("bob") as bob:
        made = ask(bob, "First?")
        assert (made["state"], made["answer"]) == ("not_found", "Nothing says so.")
        (last,) = events(bob.get(f"/v1/answers/{made['id']}/events"))
        assert (last["event"], last["data"]["detail"]) == ("error", LOST)


def test_who_loses_rights_while_it_is_answered_is_told_nothing_of_it_again(
    office: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, found = office.house.catalog.people, []
    person = people.find(name="ada")
    assert person

    async def stream(question: str, **_: Any) -> AsyncIterator[Event]:
        found.extend(office.house.rag.search("Ostrava foundry", principal=person.principal))
        yield PassagesFound(tuple(found))
        await asyncio.sleep(60)

    monkeypatch.setattr(office.house.rag, "astream", stream)
    with office.signed_in("ada") as ada, office.signed_in("ada") as again:
        with ada.stream("POST", "/v1/answers", json={"question": "How much?", "stream": True}) as response:
            name = response.headers["x-answer-id"]
            live = office.house.answers.get(name)
            assert live
            wait_until(lambda: bool(live.events))
            assert "31 million" in json.dumps(live.events[0].data)
            people.set_groups(person.id, [])
            told = events(again.get(f"/v1/answers/{name}/events", headers={"last-event-id": "0"}))
        assert [each["event"] for each in told] == ["error"]
        assert told[0]["data"]["detail"] == "Your rights changed while this was answered; ask again."
