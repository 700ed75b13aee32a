"""Scores and an order that rest on what the asker sees and on nothing else, to the last digit.

An engine weighs a word by how rare it is among all chunks, those of other people too, unless it is told among which. It
adds up the words' shares in the order of its own numbers, so that the last digits tell how an index was written, and
so does its choice among chunks of one score. Here the words' weights come from the asker's own chunks, sums are made
anew in one order, and chunks of one score follow each other by their ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ragapp.access import Scope
from ragapp.index.base import Hit, SparseVector
from ragapp.index.schema import BM25

NOBODY = Scope(frozenset({"\x00nobody"}))
"""Sees nothing: among nothing every word is as rare as any other, so that an engine adds no weight of its own."""
_NOISE = 1e-4
"""As a share of it, how far an engine's scores of two chunks may lie from ours: it adds up 32-bit numbers, and we round
weights to five digits."""
_MOST = 1_000
"""Chunks that are looked through for all that have the score at which a branch is cut off. Where a text stands in more
than that, the engine chooses."""
_REMEMBERED = 1_000
"""Askers (sets of groups) whose words' weights are remembered."""


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk as an engine brings it."""

    id: str
    score: float
    payload: Mapping[str, object] | None
    """None where it wasn't asked for."""
    words: Mapping[int, float] = field(default_factory=dict)
    """Its weights by token, where they were asked for."""


class WordWeights:
    """How much each token weighs for an asker, as long as nothing is written. Safe to share between threads."""

    def __init__(self) -> None:
        self._known: dict[tuple[frozenset[str], frozenset[str]], dict[int, float]] = {}

    def of(self, scope: Scope) -> dict[int, float]:
        """By token, to be added to; 0 for one that nothing visible holds."""
        if len(self._known) >= _REMEMBERED:
            self.forget()
        return self._known.setdefault((scope.groups, scope.without), {})

    def forget(self) -> None:
        """Something was written. Whoever counts at this moment adds to what nobody looks at any more."""
        self._known = {}


def seen_by(scope: Scope) -> Scope:
    """All that the asker sees, whatever they narrowed to: among these chunks a word is rare, or isn't."""
    return Scope(scope.groups, without=scope.without)


def wanted(limit: int) -> int:
    """How many to ask an engine for, so that it shows whether the one behind the last has the same score."""
    return limit + 1


def all_alike(found: list[Found], limit: int, ask: Callable[[int], list[Found]]) -> list[Found]:
    """`found`, the best `wanted(limit)`, with all others that score as the last of the best `limit` does.

    `ask` is asked for more until one lies below. It needs bring neither payloads nor words: those of the first stay.
    """
    asked = wanted(limit)
    best = found
    while len(best) == asked < _MOST and not _ends_below(best, limit):
        asked = min(4 * asked, _MOST)
        best = ask(asked)
    if best is found:
        return found
    known, least = {chunk.id: chunk for chunk in found}, _least(best, limit)
    return [known.get(chunk.id, chunk) for chunk in best if chunk.score >= least]


def with_words(found: list[Found], words: Callable[[list[str]], Mapping[str, Mapping[int, float]]]) -> list[Found]:
    """Chunks with the words that they lack. One that was deleted meanwhile is left out."""
    lacking = [chunk.id for chunk in found if not chunk.words]
    if not lacking:
        return found
    brought = words(lacking)
    whole = (chunk if chunk.words else replace(chunk, words=brought.get(chunk.id, {})) for chunk in found)
    return [chunk for chunk in whole if chunk.words]


def word_weights(asked: Iterable[int], best: Iterable[Sequence[Found]]) -> dict[int, float]:
    """How much each token weighs, its inverse document frequency: the score per weight of the best chunk that a search
    for it alone brings; 0 where nothing visible holds it."""
    # rounded, since the engine's product was: which of two best chunks it took must not show
    return {
        token: float(f"{chunks[0].score / chunks[0].words[token]:.5g}") if chunks else 0.0
        for token, chunks in zip(asked, best, strict=True)
    }


def weighty(asked: SparseVector, weights: Mapping[int, float]) -> SparseVector:
    """A question's words with their weights, for an engine that adds none."""
    pairs = zip(asked.indices, asked.values, strict=True)
    return SparseVector(asked.indices, tuple(value * weights[token] for token, value in pairs))


def weighed(found: Iterable[Found], asked: SparseVector) -> list[Found]:
    """Chunks with their BM25 scores for words with their weights, summed up by token."""
    words = sorted(zip(asked.indices, asked.values, strict=True))
    return [
        replace(chunk, score=sum(value * chunk.words[token] for token, value in words if token in chunk.words))
        for chunk in found
    ]


def hits(
    found: Iterable[Found], limit: int, payloads: Callable[[list[str]], Mapping[str, Mapping[str, object]]]
) -> tuple[Hit, ...]:
    """The best `limit`, chunks of one score by their ids, with the payloads that they lack.

    One that was deleted meanwhile is left out."""
    best = sorted(found, key=lambda chunk: (-chunk.score, chunk.id))[:limit]
    bare = [chunk.id for chunk in best if chunk.payload is None]
    known = payloads(bare) if bare else {}
    whole = [replace(chunk, payload=known.get(chunk.id)) if chunk.payload is None else chunk for chunk in best]
    return tuple(Hit(chunk.id, chunk.score, chunk.payload) for chunk in whole if chunk.payload is not None)


def words_of(vectors: Any) -> dict[int, float]:
    """A chunk's weights by token; none where they weren't asked for."""
    kept = vectors.get(BM25) if isinstance(vectors, dict) else None
    return dict(zip(kept.indices, kept.values, strict=True)) if kept else {}


def _ends_below(found: Sequence[Found], limit: int) -> bool:
    return found[-1].score < _least(found, limit)


def _least(found: Sequence[Found], limit: int) -> float:
    """What lies below it can't be among the best `limit`."""
    cut = found[limit - 1].score
    return cut - _NOISE * abs(cut)
