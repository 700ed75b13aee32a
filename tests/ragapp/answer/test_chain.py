"""The chain with stages of a test's own: who leaves, who is refused, what the log is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.runnables import RunnableConfig

from ragapp.answer.bridge import LoopThread
from ragapp.answer.chain import NOT_FOUND, AnswerChain, Asked, Piece, Stages
from ragapp.answer.citations import cite
from ragapp.answer.condense import Condensed
from ragapp.answer.events import Done, SentenceReady
from ragapp.answer.grounding import Judgement, declines
from ragapp.answer.prompt import NO_ANSWER, Prompt
from ragapp.answer.words import Stems
from ragapp.bundled import configs_folder
from ragapp.errors import BadQuestion
from ragapp.retrieve.hybrid import Retrieved
from ragapp.types import Passage, Principal, Usage

Make = Callable[..., Passage]
HOURS = "The office opens at 7:30. The caretaker is Ida Nowak."


SAID = ("The office opens at 7:30 [1]. ", "The caretaker is Ida Nowak [1]. ", "The office opens at 7:30 [4].")


@dataclass
class Spoken:
    """A model that says the same each time, and whether its last request was freed."""

    chain: AnswerChain
    freed: list[bool] = field(default_factory=list)
    said: list[str] = field(default_factory=lambda: list(SAID))
    cut: list[bool] = field(default_factory=list)
    """Not empty where the model reaches its limit of tokens."""


@pytest.fixture
def spoken(passage: Make, stems: Stems) -> Iterator[Spoken]:
    found = passage(HOURS, "office")
    freed: list[bool] = []
    said, cut = list(SAID), list[bool]()

    async def generate(prompt: Prompt, asked: Asked) -> AsyncIterator[Piece]:
        try:
            for piece in said:
                yield Piece(piece)
            yield Piece("", Usage(300, 200, 12), cut=bool(cut))
        finally:
            await asyncio.sleep(0)
            freed.append(True)

    stages = Stages(
        condense=lambda asked: Condensed(asked.question, Usage(20, 5, 3)),
        retrieve=lambda query, asked: Retrieved(query, (found,), (found,)),
        judge=lambda query, retrieved: Judgement(""),
        pack=lambda asked, passages, judgement: Prompt((), tuple(passages), tuple(passages), asked.question),
        generate=generate,
        cite=lambda sentence, passages, question: cite(sentence, passages, question, stems, 0.6),
        check=lambda cited: bool(cited.citations) and not cited.invented,
    )
    loop = LoopThread("test")
    yield Spoken(AnswerChain(stages, Principal("somebody"), loop, model="none"), freed, said, cut)
    loop.close()


def test_usage_counts_the_condensing_with_the_answer(spoken: Spoken) -> None:
    assert spoken.chain.invoke("When does it open?").usage == Usage(320, 205, 15)


def test_each_sentence_comes_once(spoken: Spoken) -> None:
    events = list(spoken.chain.stream("When does it open?"))
    texts = [event.sentence.text for event in events if isinstance(event, SentenceReady)]
    assert texts == ["The office opens at 7:30.", "The caretaker is Ida Nowak."]
    assert isinstance(events[-1], Done)
    assert events[-1].answer.text == "The office opens at 7:30. [1] The caretaker is Ida Nowak. [2]"


class Heard(AsyncCallbackHandler):
    """What a developer's callback is told of."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def on_chain_start(self, *given: Any, tags: list[str] | None = None, **more: Any) -> None:
        self.told.append(f"start {','.join(tags or ())}")

    async def on_chain_end(self, *given: Any, **more: Any) -> None:
        self.told.append("end")


async def test_callbacks_and_tags_reach_a_stream_as_they_reach_invoke(spoken: Spoken) -> None:
    for heard in (invoked := Heard(), streamed := Heard(), streamed_here := Heard()):
        config: RunnableConfig = {"callbacks": [heard], "tags": ["mine"]}
        if heard is invoked:
            await spoken.chain.ainvoke("When does it open?", config)
        elif heard is streamed:
            assert [event async for event in spoken.chain.astream("When does it open?", config)]
        else:
            assert await asyncio.to_thread(lambda given=config: list(spoken.chain.stream("When does it open?", given)))
    assert invoked.told == streamed.told == streamed_here.told == ["start mine", "end"]


@pytest.mark.parametrize("words", ["NOT_FOUND", "NOT_FOUND.", "[1] NOT_FOUND", "Not found", "The documents: NOT_FOUND"])
def test_a_model_that_finds_no_answer_is_believed(spoken: Spoken, words: str) -> None:
    spoken.said[:] = [words]
    answer = spoken.chain.invoke("When does it open?")
    assert (answer.status, answer.text, answer.citations) == ("not_found", NOT_FOUND, ())
    assert answer.reason == "the model found no answer in the passages"


def test_what_it_found_before_that_stays_without_its_mark(spoken: Spoken) -> None:
    spoken.said[:] = ["The office opens at 7:30 [1]. ", "NOT_FOUND"]
    assert spoken.chain.invoke("When does it open, and when does it close?").text == "The office opens at 7:30. [1]"


def test_a_document_may_speak_of_what_was_not_found(passage: Make) -> None:
    assert not declines("A page that is not found is answered with 404.", ())
    api = passage("The call returns NOT_FOUND if the object is missing.")
    assert not declines("The call returns NOT_FOUND if the object is missing. [1]", (api,))
    assert declines("NOT_FOUND", (api,))


class TestCutOff:
    """The answer's limit of tokens is reached in the middle of a sentence."""

    def test_half_a_sentence_is_not_told(self, spoken: Spoken) -> None:
        spoken.said[:] = ["The caretaker is Ida Nowak [1]. ", "The office opens at 7:30"]
        spoken.cut.append(True)
        assert spoken.chain.invoke("When does it open?").text == "The caretaker is Ida Nowak. [1]"

    def test_where_there_is_no_whole_one_the_reason_is_said(self, spoken: Spoken) -> None:
        spoken.said[:] = ["The office opens at 7:30"]
        spoken.cut.append(True)
        answer = spoken.chain.invoke("When does it open?")
        assert (answer.status, answer.text) == ("not_found", NOT_FOUND)
        assert "chat.max_answer_tokens" in answer.reason


def test_the_instructions_name_the_words_for_it() -> None:
    assert f"write only: {NO_ANSWER}" in (configs_folder() / "prompts" / "answer.md").read_text()


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


@pytest.mark.parametrize("history", [["only a text"], [{"question": "no answer"}], [7], 7])
def test_a_history_that_is_none_is_refused_in_a_sentence(spoken: Spoken, history: object) -> None:
    with pytest.raises(BadQuestion, match="history"):
        spoken.chain.invoke({"question": "When does it open?", "history": history})


def test_no_history_may_be_said_by_null(spoken: Spoken) -> None:
    assert spoken.chain.invoke({"question": "When does it open?", "history": None}).status == "answered"
