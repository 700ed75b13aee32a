"""Making a follow-up stand alone for retrieval, only where it leans on what was said before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage

from ragapp.answer.words import names, numbers, words
from ragapp.engine.reply import usage_of
from ragapp.types import Turn, Usage

_LEANING = re.compile(
    r"\b(its?|they|them|theirs?|these|those|he|him|his|she|hers?|then|same|former|latter|ihn|ihm|ihre?r?|ihnen|dessen|deren"
    r"|diese?[rs]?|dort|dann|dafür|davon|damit|dazu)\b",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"^(and|or|but|so|also|what about|how about|what if|why|und|oder|aber|auch|wie ist es mit|was ist mit|warum)\b",
    re.IGNORECASE,
)
_SHORT = 6
"""A question of so few words that names nobody and no figure rarely says what it is about."""


@dataclass(frozen=True, slots=True)
class Condensed:
    """A question made to stand alone, and the tokens that this took."""

    question: str
    usage: Usage = field(default_factory=Usage)


def leans(question: str) -> bool:
    """Whether a question can't be understood without the one before: it opens like a continuation, is short and names
    nothing, or refers to something by a pronoun."""
    asked = words(question)
    if _OPENING.search(question.strip()) or _LEANING.search(question):
        return True
    return len(asked) <= _SHORT and not names(question) and not numbers(question)


def with_words(question: str, history: Sequence[Turn]) -> Condensed:
    """The question with the last one before it that stands alone; needs no model."""
    if not history or not leans(question):
        return Condensed(question)
    before: list[str] = []
    for turn in reversed(history):
        before.insert(0, turn.question)
        if not leans(turn.question):
            break
    return Condensed(" ".join([*before[-3:], question]))


async def with_model(
    question: str, history: Sequence[Turn], chat: BaseChatModel, instructions: str, cache_salt: str
) -> Condensed:
    """The question rewritten by the chat model; the words alone where it replies with nothing usable. What was said
    before stands in the prompt, so its prefix is kept apart by `cache_salt` like that of an answer."""
    if not history or not leans(question):
        return Condensed(question)
    said = "\n".join(f"Question: {turn.question}\nAnswer: {turn.answer}" for turn in history[-3:])
    messages = [SystemMessage(instructions), HumanMessage(f"{said}\nLast question: {question}")]
    reply = await chat.ainvoke(messages, cache_salt=cache_salt)
    rewritten = " ".join(str(reply.text).split())
    usable = rewritten and len(rewritten) < 4 * (len(question) + 200)
    return Condensed(rewritten if usable else with_words(question, history).question, usage_of(reply) or Usage())
