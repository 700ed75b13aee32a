"""The chain with stages of a test's own: who leaves, who is refused, what the log is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

import pytest

from ragapp.answer.bridge import LoopThread
from ragapp.answer.chain import AnswerChain, Asked, Piece, Stages
from ragapp.answer.citations import cite
from ragapp.answer.events import Done, SentenceReady
from ragapp.answer.grounding import Judgement
from ragapp.answer.prompt import Prompt
from ragapp.answer.words import Stems
from ragapp.errors import BadQuestion
from ragapp.retrieve.hybrid import Retrieved
from ragapp.types import Passage, Principal

Make = Callable[..., Passage]
HOURS = "The office opens at 7:30. The caretaker is Ida Nowak."


@dataclass
class Spoken:
    """A model that says the same each time, and whether its last request was freed."""

    chain: AnswerChain
    freed: list[bool] = field(default_factory=list)


@pytest.fixture
def spoken(passage: Make, stems: Stems) -> Iterator[Spoken]:
    found = passage(HOURS, "office")
    freed: list[bool] = []

    async def generate(prompt: Prompt, asked: Asked) -> AsyncIterator[Piece]:
        try:
            yield Piece("The office opens at 7:30 [1]. ")
            yield Piece("The caretaker is Ida Nowak [1]. ")
            yield Piece("The office opens at 7:30 [4].")
        finally:
            await asyncio.sleep(0)
            freed.append(True)

    stages = Stages(
        condense=lambda asked: asked.question,
        retrieve=lambda query, asked: Retrieved(query, (found,), (found,)),
        judge=lambda query, retrieved: Judgement(""),
        pack=lambda asked, passages, judgement: Prompt((), tuple(passages), tuple(passages), asked.question),
        generate=generate,
        cite=lambda sentence, passages, question: cite(sentence, passages, question, stems, 0.6),
        check=lambda cited: bool(cited.citations) and not cited.invented,
    )
    loop = LoopThread("test")
    yield Spoken(AnswerChain(stages, Principal("somebody"), loop, model="none"), freed)
    loop.close()


def test_each_sentence_comes_once(spoken: Spoken) -> None:
    events = list(spoken.chain.stream("When does it open?"))
    texts = [event.sentence.text for event in events if isinstance(event, SentenceReady)]
    assert texts == ["The office opens at 7:30.", "The caretaker is Ida Nowak."]
    assert isinstance(events[-1], Done)
    assert events[-1].answer.text == "The office opens at 7:30. [1] The caretaker is Ida Nowak. [2]"


def test_a_reader_who_leaves_has_freed_the_request_when_the_stream_is_closed(spoken: Spoken) -> None:
    async def leave() -> None:
        events = spoken.chain.astream("When does it open?")
        async for event in events:
            if isinstance(event, SentenceReady):
                break
        assert not spoken.freed
        await events.aclose()
        assert spoken.freed

    asyncio.run(leave())


@pytest.mark.parametrize("history", [["only a text"], [{"question": "no answer"}], [7]])
def test_a_history_that_is_none_is_refused_in_a_sentence(spoken: Spoken, history: list[object]) -> None:
    with pytest.raises(BadQuestion, match="history"):
        spoken.chain.invoke({"question": "When does it open?", "history": history})


def test_no_history_may_be_said_by_null(spoken: Spoken) -> None:
    assert spoken.chain.invoke({"question": "When does it open?", "history": None}).status == "answered"
