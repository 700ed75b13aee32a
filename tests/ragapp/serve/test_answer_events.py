"""What is told again of an answer that is over: less than the first time, maybe, but always its end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ragapp.catalog.service_rows import AnswerRow, AnswerState
from ragapp.serve.answer_events import LOST, record_of, replayed
from ragapp.serve.answers import INTERRUPTED
from ragapp.types import Answer, Passage, Timings, Turn, Usage

from .conftest import Service

FIELDS: dict[str, Any] = {
    "passages": [],
    "citations": [{"marker": 1}],
    "sentences": [{"text": "So.", "markers": [1]}, {"text": "And so.", "markers": [1]}],
}


def test_an_answer_rests_on_what_the_turns_before_it_brought() -> None:
    def found(document: str, revision: int) -> Passage:
        return Passage(document, revision, "a.md", "A", "text", 0, 4)

    turn = Turn("Why?", "So.", (found("two", 1), found("one", 3)))
    answer = Answer("Why?", "answered", "So.", (), (), (), (), Timings(0, 0, 0), Usage(), "m", turn)
    before = (Turn("How?", "Thus.", (found("one", 2),)), Turn("What was hidden?", "", ()))
    assert record_of(answer, 0, before)["rests_on"] == [("one", 2), ("one", 3), ("two", 1)]


def over(state: AnswerState, reason: str = "") -> AnswerRow:
    return AnswerRow("a1", "p1", None, "api", "Why?", state, datetime.now(UTC), reason)


def test_each_event_has_the_id_that_it_had() -> None:
    told = [(event.name, event.id) for event in replayed(over("answered"), FIELDS)]
    assert told == [("passages", 1), ("citation", 2), ("sentence", 3), ("sentence", 4), ("done", 5)]
    assert [event.id for event in replayed(over("answered"), FIELDS, after=3)] == [4, 5]


@pytest.mark.parametrize("after", [0, 1, 4, 9])
def test_the_end_is_news_to_whoever_was_told_more_than_was_kept(after: int) -> None:
    (last,) = replayed(over("failed", INTERRUPTED), {}, after)
    assert (last.name, last.id, last.data["detail"]) == ("error", after + 1, INTERRUPTED)


def test_an_answer_that_could_not_be_kept_is_lost_and_not_done() -> None:
    (last,) = replayed(over("queued"), {})
    assert (last.name, last.data["state"], last.data["detail"]) == ("error", "failed", LOST)


def test_who_reads_on_after_a_restart_is_told_of_it(office: Service) -> None:
    conversations = office.house.catalog.conversations
    bob = office.house.catalog.people.find(name="bob")
    assert bob
    conversations.ask("a1", bob.id, None, "api", "Why?")
    conversations.interrupted(INTERRUPTED)
    with office.signed_in("bob") as client:
        told = client.get("/v1/answers/a1/events", headers={"last-event-id": "3"}).text
    assert told.startswith("id: 4\nevent: error\n") and INTERRUPTED in told
