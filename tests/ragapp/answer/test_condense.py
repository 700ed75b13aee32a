"""A follow-up takes words from before only where it leans on them."""

from typing import Any

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatResult

from ragapp.answer.condense import Condensed, leans, with_model, with_words
from ragapp.types import Turn, Usage

BEFORE = [Turn("What is the hotel limit in Germany in 2023?", "It was 100 EUR.")]


@pytest.mark.parametrize(
    "question",
    [
        "And in 2025?",
        "What about London?",
        "How much is it?",
        "Who approves them?",
        "Und dort?",
        "Wie hoch ist er dann?",
    ],
)
def test_leaning_questions(question: str) -> None:
    assert leans(question)
    assert with_words(question, BEFORE).question == f"{BEFORE[0].question} {question}"


@pytest.mark.parametrize(
    "question",
    [
        "What is the notice period in the supplier contract with Nordwerk?",
        "Who is the data protection officer of Halden GmbH?",
    ],
)
def test_questions_that_stand_alone_stay_alone(question: str) -> None:
    assert not leans(question)
    assert with_words(question, BEFORE).question == question


def test_without_a_history_nothing_is_added() -> None:
    assert with_words("And in 2025?", ()).question == "And in 2025?"


def test_a_chain_of_follow_ups_reaches_back_to_the_one_that_stands_alone() -> None:
    chain = [*BEFORE, Turn("And in 2025?", "130 EUR.")]
    assert with_words("And in London?", chain).question == f"{BEFORE[0].question} And in 2025? And in London?"


async def test_the_model_s_prefix_is_kept_apart_and_its_tokens_are_counted() -> None:
    salts = []

    class Rewrites(GenericFakeChatModel):
        def _generate(self, *given: Any, **more: Any) -> ChatResult:
            salts.append(more.pop("cache_salt"))
            return super()._generate(*given, **more)

    counted = UsageMetadata(input_tokens=80, output_tokens=12, total_tokens=92, input_token_details={"cache_read": 64})
    rewritten = AIMessage("What is the hotel limit in Germany in 2025?", usage_metadata=counted)
    condensed = await with_model("And in 2025?", BEFORE, Rewrites(messages=iter([rewritten])), "Rewrite.", "a salt")
    assert condensed == Condensed("What is the hotel limit in Germany in 2025?", Usage(80, 64, 12))
    assert salts == ["a salt"]


async def test_a_rewriting_that_is_empty_is_paid_for_and_not_used() -> None:
    counted = UsageMetadata(input_tokens=80, output_tokens=1, total_tokens=81)
    chat = GenericFakeChatModel(messages=iter([AIMessage("  ", usage_metadata=counted)]))
    condensed = await with_model("And in 2025?", BEFORE, chat, "Rewrite.", "a salt")
    assert condensed == Condensed(f"{BEFORE[0].question} And in 2025?", Usage(80, 0, 1))
