"""Ask every question of a file and note what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ragapp.answer.words import names, numbers, words
from ragapp.app import RagApp
from ragapp.errors import BadQuestion, EngineError, QuestionTooLong
from ragapp.evaluate.metrics import Outcome
from ragapp.types import Answer

_AT_ONCE = 4
"""Questions in flight: the engine batches them, and the fourth waits little."""
_FIRST = 5
"""Passages that count as found at once, as a reader would look at them."""


@dataclass(frozen=True, slots=True)
class Unasked:
    """A question that could not be asked, or broke off, which says nothing about the answers."""

    id: str
    reason: str


async def run(
    app: RagApp, questions: Sequence[Mapping[str, Any]], done: Callable[[Outcome, Answer], None]
) -> tuple[list[Outcome], list[Unasked]]:
    """Outcomes in the order of the questions, and those that could not be asked; `done` is told of each as it comes."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(row: Mapping[str, Any]) -> Outcome | Unasked:
        async with room:
            try:
                answer = await app.aask(row["question"], history=row.get("history") or ())
            except (BadQuestion, QuestionTooLong, EngineError) as error:
                return Unasked(str(row["id"]), str(error))
        outcome = judged(row, answer)
        done(outcome, answer)
        return outcome

    came = await asyncio.gather(*(one(row) for row in questions))
    return [each for each in came if isinstance(each, Outcome)], [each for each in came if isinstance(each, Unasked)]


def judged(row: Mapping[str, Any], answer: Answer) -> Outcome:
    """How an answer compares with what the row expects."""
    right = [*_listed(row.get("source")), *_listed(row.get("also"))]
    answered = answer.status == "answered"
    return Outcome(
        id=str(row["id"]),
        answerable=bool(row.get("answerable", True)),
        half=str(row.get("half", "")),
        groups=tuple(row.get("groups", ())),
        found=any(_is(p.source, right) for p in answer.passages[:_FIRST]),
        answered=answered,
        cited=answered and any(_is(c.source, right) for c in answer.citations),
        held=answered and _holds(str(row.get("answer", "")), answer.text),
        reason=answer.reason,
    )


def _listed(sources: str | Sequence[str] | None) -> list[str]:
    return [sources] if isinstance(sources, str) else list(sources or ())


def _is(source: str, right: Sequence[str]) -> bool:
    return any(source == wanted or source.endswith("/" + wanted) for wanted in right)


def _holds(expected: str, given: str) -> bool:
    """Whether every figure and name of the expected answer stands in the given one; half its words without any."""
    facts = numbers(expected) | names(expected)
    if not facts:
        wanted = set(words(expected))
        return len(wanted & set(words(given))) >= len(wanted) / 2
    return facts <= numbers(given, spelled=True) | set(words(given))
