"""What a model that may only quote can choose from: the likeliest statements, word for word, with their markers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ragapp.answer.statements import Statement
from ragapp.answer.words import Stems, numbers
from ragapp.types import Passage

OFFERED = 3
"""Statements that are offered at most: the likeliest, and two of which the model may add one, or none."""
TIE = 0.2
"""How far below the best a statement may score to be offered beside it. On the tuning half of the examples one more
answer in eight cites a right source than without."""
ALIKE = 0.6
"""Share of common words from which two statements are taken for versions of one rule."""


@dataclass(frozen=True, slots=True)
class _Quote:
    text: str
    marker: int
    date: datetime | None
    document_id: str


def quotes(
    statements: Sequence[Statement],
    ranked: Sequence[Passage],
    given: Sequence[Passage],
    stems: Stems,
    fits: Callable[[str], bool],
) -> tuple[str, ...]:
    """Answers to choose from, the likeliest that the prompt holds first; empty where it holds none of the statements.

    `ranked` are the passages that the statements count, `given` those of the prompt; `fits` tells what is no longer
    than an answer may be. Of two dated versions of one rule that state different figures, the newer comes first and
    both dates are said.
    """
    found = _offered(statements, ranked, given, fits)
    if len(found) < 2:
        return tuple(_written(quote) for quote in found)
    if version := next((other for other in found[1:] if _disagree(found[0], other, stems)), None):
        older, newer = sorted((found[0], version), key=lambda quote: quote.date or datetime.min)
        both = f"{_written(newer, dated=True)} {_written(older, dated=True)}"
        return (both if fits(both) else _written(newer),)
    best, *others = (_written(quote) for quote in found)
    return (*(both for other in others if fits(both := f"{best} {other}")), best)


def _offered(
    statements: Sequence[Statement],
    ranked: Sequence[Passage],
    given: Sequence[Passage],
    fits: Callable[[str], bool],
) -> list[_Quote]:
    found: dict[str, _Quote] = {}
    best: float | None = None
    for statement in statements:
        if len(found) == OFFERED or (best is not None and statement.score < best - TIE):
            break
        home = ranked[statement.passage]
        text = " ".join(statement.text.split())
        for marker, passage in enumerate(given, 1):
            if passage.document_id == home.document_id and statement.text in passage.text:
                quote = _Quote(text, marker, passage.date, passage.document_id)
                if fits(_written(quote)):
                    found.setdefault(text, quote)
                    best = statement.score if best is None else best
                break
    return list(found.values())


def _disagree(one: _Quote, other: _Quote, stems: Stems) -> bool:
    """Whether two statements of different documents say the same with other figures, at different dates."""
    if one.document_id == other.document_id or not one.date or not other.date or one.date == other.date:
        return False
    words, others = stems(one.text), stems(other.text)
    common = len(words & others) / max(1, min(len(words), len(others)))
    return common >= ALIKE and numbers(one.text) != numbers(other.text)


def _written(quote: _Quote, *, dated: bool = False) -> str:
    date = f" ({quote.date:%Y-%m-%d})" if dated and quote.date else ""
    ended = quote.text if quote.text[-1] in ".!?:;" else f"{quote.text}."
    if date:
        ended = f"{quote.text.rstrip('.')}{date}."
    return f"{ended} [{quote.marker}]"
