"""A follow-up takes words from before only where it leans on them."""

import pytest
from langchain_core.language_models import FakeListChatModel

from ragapp.answer.condense import leans, with_model, with_words
from ragapp.types import Turn

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
    assert with_words(question, BEFORE) == f"{BEFORE[0].question} {question}"


@pytest.mark.parametrize(
    "question",
    [
        "What is the notice period in the supplier contract with Nordwerk?",
        "Who is the data protection officer of Halden GmbH?",
    ],
)
def test_questions_that_stand_alone_stay_alone(question: str) -> None:
    assert not leans(question)
    assert with_words(question, BEFORE) == question


def test_without_a_history_nothing_is_added() -> None:
    assert with_words("And in 2025?", ()) == "And in 2025?"


def test_a_chain_of_follow_ups_reaches_back_to_the_one_that_stands_alone() -> None:
    chain = [*BEFORE, Turn("And in 2025?", "130 EUR.")]
    assert with_words("And in London?", chain) == f"{BEFORE[0].question} And in 2025? And in London?"


async def test_the_model_s_prefix_is_kept_apart_like_an_answer_s() -> None:
    salts = []

    class Rewrites(FakeListChatModel):
        def _call(self, *given: object, **more: object) -> str:
            salts.append(more["cache_salt"])
            return "What is the hotel limit in Germany in 2025?"

    chat = Rewrites(responses=[""])
    rewritten = await with_model("And in 2025?", BEFORE, chat, "Rewrite.", "salt of this asker")
    assert rewritten == "What is the hotel limit in Germany in 2025?"
    assert salts == ["salt of this asker"]
