"""The chain with stages of a test's own: who leaves, who is refused, what the log is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypedDict

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.runnables import (
    Runnable,
    RunnableBranch,
    RunnableConfig,
    RunnableGenerator,
    RunnableLambda,
    RunnablePassthrough,
)
from langgraph.graph import END, START, StateGraph

from ragapp.answer.bridge import LoopThread
from ragapp.answer.chain import AnswerChain, Asked, Piece, Stages
from ragapp.answer.citations import cite
from ragapp.answer.condense import Condensed
from ragapp.answer.events import Done, SentenceReady
from ragapp.answer.grounding import Judgement, declines
from ragapp.answer.prompt import NO_ANSWER, Prompt
from ragapp.answer.refusal import REFUSALS
from ragapp.answer.words import Stems
from ragapp.bundled import configs_folder
from ragapp.errors import BadQuestion
from ragapp.retrieve.hybrid import Retrieved
from ragapp.types import Answer, Passage, Principal, Usage

from .conftest import Shown

Make = Callable[..., Passage]
HOURS = "The office opens at 7:30. The caretaker is Ida Nowak."


SAID = ("The office opens at 7:30 [1]. ", "The caretaker is Ida Nowak [1]. ", "The office opens at 7:30 [4].")


@dataclass
class Spoken:
    """A model that says the same each time, and whether its last request was freed."""

    chain: AnswerChain
    shown: Shown
    freed: list[bool] = field(default_factory=list)
    said: list[str] = field(default_factory=lambda: list(SAID))
    cut: list[bool] = field(default_factory=list)
    """Not empty where the model reaches its limit of tokens."""


@pytest.fixture
def spoken(passage: Make, stems: Stems, shown: Shown) -> Iterator[Spoken]:
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
    yield Spoken(AnswerChain(stages, Principal("somebody"), loop, shown, model="none"), shown, freed, said, cut)
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
    assert (answer.status, answer.text, answer.citations) == ("not_found", REFUSALS["en"], ())
    assert answer.reason == "the model found no answer in the passages"


def test_who_asks_in_german_is_refused_in_german_and_so_the_turn_says(spoken: Spoken) -> None:
    spoken.said[:] = [NO_ANSWER]
    answer = spoken.chain.invoke("Wann öffnet das Büro?")
    assert (answer.status, answer.text, answer.turn.answer) == ("not_found", REFUSALS["de"], REFUSALS["de"])


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
        assert (answer.status, answer.text) == ("not_found", REFUSALS["en"])
        assert "chat.max_answer_tokens" in answer.reason


ANSWERED = "The office opens at 7:30. [1] The caretaker is Ida Nowak. [2]"


class TestAmongOthers:
    """The chain as a part of a sequence, a mapping or a graph: what follows it gets one answer, streamed or not."""

    @staticmethod
    def text_of(answer: Any) -> str:
        assert isinstance(answer, Answer)
        return answer.text

    @pytest.fixture
    def sequence(self, spoken: Spoken) -> Runnable[Any, Any]:
        prepared = RunnableLambda(lambda asked: {"question": asked})
        return prepared | spoken.chain | self.text_of

    async def test_a_sequence_gives_the_same_whichever_way_it_is_run(self, sequence: Runnable[Any, Any]) -> None:
        asked = "When does it open?"
        assert await asyncio.to_thread(sequence.invoke, asked) == ANSWERED
        assert await sequence.ainvoke(asked) == ANSWERED
        assert await asyncio.to_thread(lambda: list(sequence.stream(asked))) == [ANSWERED]
        assert [piece async for piece in sequence.astream(asked)] == [ANSWERED]
        assert await asyncio.to_thread(sequence.batch, [asked, asked]) == [ANSWERED, ANSWERED]
        assert await sequence.abatch([asked, asked]) == [ANSWERED, ANSWERED]

    def test_so_it_does_where_it_comes_first_and_among_the_values_of_a_mapping(self, spoken: Spoken) -> None:
        first = spoken.chain | self.text_of
        beside = RunnablePassthrough.assign(answer=spoken.chain)
        assert list(first.stream("When does it open?")) == [ANSWERED]
        (answer,) = [piece["answer"] for piece in beside.stream({"question": "When?"}) if "answer" in piece]
        assert answer.text == ANSWERED

    async def test_a_question_that_comes_in_pieces_is_put_together(self, spoken: Spoken) -> None:
        def pieces(asked: Iterator[str]) -> Iterator[str]:
            for text in asked:
                yield from text.split("|")

        sequence = RunnableGenerator(pieces) | spoken.chain | (lambda answer: answer.question)
        assert await asyncio.to_thread(lambda: list(sequence.stream("When does| it open?"))) == ["When does it open?"]
        whole = spoken.chain.transform(iter([{"question": "no"}, {"question": "yes"}]))
        assert await asyncio.to_thread(lambda: [answer.question for answer in whole]) == ["yes"]
        assert list(spoken.chain.transform(iter(()))) == []

    def test_what_takes_its_events_for_pieces_of_a_whole_adds_them_up_to_the_answer(self, spoken: Spoken) -> None:
        either = RunnableBranch((lambda asked: "open" in asked, spoken.chain), spoken.chain)
        returned: Runnable[str, Any] = RunnableLambda(lambda asked: spoken.chain)
        for around in (either, returned, spoken.chain.with_fallbacks([spoken.chain])):
            assert list((around | self.text_of).stream("When does it open?")) == [ANSWERED]

    async def test_callbacks_and_tags_reach_it_there(self, spoken: Spoken) -> None:
        for stream in (True, False):
            sequence = RunnableLambda(str) | spoken.chain.with_config(tags=["chain"])
            config: RunnableConfig = {"callbacks": [heard := Heard()], "tags": ["mine"]}
            if stream:
                assert len([piece async for piece in sequence.astream("When does it open?", config)]) == 1
            else:
                assert await sequence.ainvoke("When does it open?", config)
            assert [told for told in heard.told if "chain" in told and "mine" in told and told.startswith("start")]
            assert heard.told.count("end") == 3

    @pytest.mark.parametrize("prepared", [True, False])
    async def test_a_graph_that_is_streamed_gets_its_answer(self, spoken: Spoken, prepared: bool) -> None:
        class State(TypedDict, total=False):
            question: str
            text: str

        def kept(answer: Any) -> State:
            return {"text": self.text_of(answer)}

        node = (
            RunnableLambda(lambda state: state["question"]) | spoken.chain | kept if prepared else spoken.chain | kept
        )
        graph = StateGraph(State)
        graph.add_node("answer", node)
        graph.add_edge(START, "answer")
        graph.add_edge("answer", END)
        ready = graph.compile()
        events = [event async for event in ready.astream_events({"question": "When does it open?"}, version="v2")]
        assert events[-1]["data"]["output"]["text"] == ANSWERED
        (ended,) = [e["data"]["output"] for e in events if (e["event"], e["name"]) == ("on_chain_end", "AnswerChain")]
        assert isinstance(ended, Answer)
        updates = [update async for update in ready.astream({"question": "When does it open?"}, stream_mode="updates")]
        assert updates == [{"answer": {"text": ANSWERED}}]


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


@pytest.mark.parametrize("unknown", [{"narrowed": None}, {"filter": {"collection": "board"}}, {"principal": None}])
async def test_a_keyword_that_it_does_not_know_is_refused(spoken: Spoken, unknown: dict[str, Any]) -> None:
    """Passed over, it would show more than was asked for."""
    asked, (name,) = "When does it open?", unknown
    with pytest.raises(BadQuestion, match=name):
        await spoken.chain.ainvoke(asked, **unknown)
    with pytest.raises(BadQuestion, match=name):
        [event async for event in spoken.chain.astream(asked, **unknown)]
    for call in (spoken.chain.invoke, lambda *given, **more: list(spoken.chain.stream(*given, **more))):
        with pytest.raises(BadQuestion, match=name):
            await asyncio.to_thread(call, asked, **unknown)
