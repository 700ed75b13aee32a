"""An answer rests on all that its prompt held, of earlier turns too: it is withheld with any of it, wherever it shows.

The model says again what its prompt holds, and cites nothing, so that only what was noted of the prompt tells where its
words are from.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from ragapp.answer.chain import Asked, Piece
from ragapp.answer.citations import Cited
from ragapp.answer.grounding import Judgement
from ragapp.answer.prompt import Prompt
from ragapp.catalog.service_rows import AnswerRow
from ragapp.retrieve.hybrid import Retrieved
from ragapp.serve.forgetting import all_about
from ragapp.types import Usage

from .conftest import Service

FIRST = "For how much does the firm buy the Brno mill?"
THEN = "When does the office open?"
SECRET = "kumquatprice"


async def parrot(prompt: Prompt, _: Asked) -> AsyncIterator[Piece]:
    """Says again what was said, of earlier turns too, but for its instructions."""
    said = " ".join(str(message.content) for message in prompt.messages[1:])
    yield Piece(" ".join(dict.fromkeys(said.split())) + "\n", Usage(1, 0, 1))


@dataclass
class Talk:
    """A conversation of ada's: of the board's paper, then of what everybody may see."""

    office: Service
    ada: httpx.Client
    conversation: str
    document: str
    paper: Path
    first: str
    then: str

    @property
    def catalog(self) -> Any:
        return self.office.house.catalog

    def hide(self) -> None:
        self.office.house.rag.access.set(self.document, frozenset({"nobody"}), new_group=True)

    def rows(self) -> list[AnswerRow]:
        person = self.catalog.people.find(name="ada")
        return list(self.catalog.conversations.answers(self.conversation, person.id))


@pytest.fixture
def talk(office: Service, tmp_path: Path) -> Iterator[Talk]:
    rag, file = office.house.rag, tmp_path / "mill.md"
    file.write_text(f"# Mill\n\nThe firm buys the Brno mill for {SECRET} euro in June.\n")
    rag.ingest(file, groups=["board"])
    (paper,) = [row for row in rag.catalog.documents() if row.source.endswith(file.name)]
    search = rag.stages.retrieve

    def only(query: str, asked: Asked) -> Retrieved:
        """For the first question the board's paper, for all others what else there is."""
        found = search(query, asked)
        about = [each for each in found.passages if (each.document_id == paper.id) == (asked.question == FIRST)]
        return replace(found, passages=tuple(about), candidates=tuple(about))

    rag._parts["stages"] = replace(
        rag.stages,
        retrieve=only,
        generate=parrot,
        cite=lambda sentence, *_: Cited(sentence, (), 1.0, frozenset()),
        check=lambda cited: True,
        judge=lambda query, found: Judgement(""),
    )
    with office.client(office.token("ada")) as ada:
        first = ada.post("/v1/answers", json={"question": FIRST, "new_conversation": True}).json()
        asked = {"question": THEN, "conversation_id": first["conversation_id"]}
        then = ada.post("/v1/answers", json=asked).json()
        assert SECRET in first["answer"] and SECRET in then["answer"], "the follow-up's prompt held the first turn"
        assert paper.id not in {found["document_id"] for found in then["passages"]}
        yield Talk(office, ada, first["conversation_id"], paper.id, file, first["id"], then["id"])


def the_answer(talk: Talk) -> str:
    return talk.ada.get(f"/v1/answers/{talk.then}").text


def its_events(talk: Talk) -> str:
    return talk.ada.get(f"/v1/answers/{talk.then}/events").text


def the_conversation(talk: Talk) -> str:
    return talk.ada.get(f"/v1/conversations/{talk.conversation}").text


def the_export(talk: Talk) -> str:
    return talk.ada.get(f"/v1/conversations/{talk.conversation}/export").text


def all_of_the_person(talk: Talk) -> str:
    person = talk.catalog.people.find(name="ada")
    return json.dumps(all_about(talk.catalog, person))


def feedback(talk: Talk) -> str:
    talk.ada.put("/v1/feedback", json={"answer_id": talk.then, "good": True})
    people = talk.catalog.people
    people.set_groups(people.find(name="root").id, ["board"])
    with talk.office.client(talk.office.token("root")) as root:
        return root.get("/v1/feedback").text


def the_next_prompt(talk: Talk) -> str:
    asked = {"question": "And on Sundays?", "conversation_id": talk.conversation}
    return talk.ada.post("/v1/answers", json=asked).text


def a_history_that_a_program_hands_in(talk: Talk) -> str:
    (first, then, *_) = talk.rows()
    said = [
        {"role": "user", "content": FIRST}, {"role": "assistant", "content": first.record["fields"]["answer"]},
        {"role": "user", "content": THEN}, {"role": "assistant", "content": then.record["fields"]["answer"]},
        {"role": "user", "content": "And on Sundays?"},
    ]  # fmt: skip
    return talk.ada.post("/openai/v1/chat/completions", json={"model": "ragapp", "messages": said}).text


Place = Callable[[Talk], str]
PLACES: tuple[Place, ...] = (
    the_answer, its_events, the_conversation, the_export, all_of_the_person, feedback, the_next_prompt,
    a_history_that_a_program_hands_in,
)  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_follow_up_is_withheld_with_what_an_earlier_turn_held(talk: Talk, place: Place) -> None:
    assert SECRET in place(talk).replace("\\", "")
    talk.hide()
    said = place(talk)
    assert SECRET not in said.replace("\\", "")
    assert "7:45" in said or place is not the_next_prompt, "what may be seen still answers"


@pytest.mark.parametrize("place", PLACES)
def test_so_it_is_with_answers_of_versions_that_noted_the_new_passages_alone(talk: Talk, place: Place) -> None:
    for row in talk.rows():
        record = dict(row.record)
        record.pop("rests_on", None)
        record["prompted"] = sorted({found["document_id"] for found in record["turn"]["passages"]})
        talk.catalog.conversations.settle(row.id, row.state, row.reason, record)
    assert SECRET in place(talk).replace("\\", "")
    talk.hide()
    assert SECRET not in place(talk).replace("\\", "")


def test_it_is_noted_for_a_third_turn_too(talk: Talk) -> None:
    the_next_prompt(talk)
    revision, rows = talk.catalog.document(talk.document).revision, talk.rows()
    assert len(rows) == 3
    assert all([talk.document, revision] in row.record["rests_on"] for row in rows)


def test_what_follows_a_withheld_turn_rests_on_what_it_was_given(talk: Talk) -> None:
    """And so can be read, although the turns before it can't."""
    talk.hide()
    said = json.loads(the_next_prompt(talk))
    assert said["state"] == "answered" and not said["withheld"]
    shown = talk.ada.get(f"/v1/answers/{said['id']}").json()
    assert shown["answer"] == said["answer"] and "7:45" in shown["answer"]


def test_a_new_revision_withholds_nothing(talk: Talk) -> None:
    before = talk.catalog.document(talk.document).revision
    talk.paper.write_text("# Mill\n\nThe firm buys nothing.\n")
    talk.office.house.rag.ingest(talk.paper, groups=["board"])
    assert talk.catalog.document(talk.document).revision > before
    assert SECRET in the_answer(talk)


def test_the_prompt_is_not_the_answers_alone(talk: Talk) -> None:
    """The prefix that a follow-up's prompt grows from is kept with the turn; it is withheld as the answer is."""
    seen: list[Prompt] = []
    real = talk.office.house.rag.stages

    async def generate(prompt: Prompt, asked: Asked) -> Any:
        seen.append(prompt)
        async for piece in parrot(prompt, asked):
            yield piece

    talk.office.house.rag._parts["stages"] = replace(real, generate=generate)
    the_next_prompt(talk)
    talk.hide()
    the_next_prompt(talk)
    held = [" ".join(str(message.content) for message in prompt.messages) for prompt in seen]
    assert SECRET in held[0] and SECRET not in held[1]
