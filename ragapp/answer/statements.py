"""The sentences and table rows of passages, ranked by how likely each answers the question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import log

import numpy as np
from numpy.typing import NDArray

from ragapp.answer.asking import ASKING_WORDS
from ragapp.answer.sentences import spans
from ragapp.answer.words import Stems, codes, words
from ragapp.types import Passage

LOOKED_AT = 48
"""Statements that are embedded for one question; words alone choose them, so that a CPU needs well under a second."""
SHORTEST = 3
"""Words below which a line is a heading or a stray cell rather than a statement."""
SPELLED = 6
"""Letters from which a word can be told from another although one or two are wrong."""
CLOSE = 0.84
"""Similarity (Ratcliff and Obershelp) from which a word is taken for another one misspelled."""
ANOTHER = 0.3
"""What it costs a statement to name another thing of the kind that the question names: the P350 for the P200."""
WORDS_WEIGHT = 0.4
"""What holding all the question's words counts beside a cosine of 1."""
RANK_COST = 0.05
"""What each place of its passage behind the first costs a statement. Both chosen on the tuning half of the examples,
where any weight from 0.2 to 0.6 does within one question of the best."""


Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to vectors: float32 (n, d), each of length 1."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence or row of a passage, as a candidate for an answer."""

    text: str
    passage: int
    """Index of its passage among those given, the best first."""
    cosine: float
    """Of the question and the statement under its title and headings, -1 to 1."""
    words: float
    """Share of the question's words, weighed by rarity, that it holds with its title and headings, 0 to 1."""

    of_another: bool
    """Whether it names another thing of the kind that the question names."""

    @property
    def score(self) -> float:
        """How likely it answers the question; comparable within one question only."""
        return self.cosine + WORDS_WEIGHT * self.words - RANK_COST * self.passage - ANOTHER * self.of_another


@dataclass(frozen=True, slots=True)
class Weights:
    """The question's words by rarity among what the asker may see."""

    by_stem: dict[int, float]
    total: float

    def share(self, held: frozenset[int]) -> float:
        """Weighed share of the question's words among these stems, 0 to 1."""
        return sum(weight for stem, weight in self.by_stem.items() if stem in held) / self.total if self.total else 0.0


def weigh_words(question: str, candidates: Sequence[Passage], stems: Stems) -> Weights:
    """Rarity of each of the question's words.

    It is told from the candidates of both branches: BM25 brings every chunk with a rare word first, so a word that few
    candidates hold is rare among all that the asker may see, and one that none holds is absent.
    """
    pool = [stems(shown(candidate)) for candidate in candidates]
    known: frozenset[int] = frozenset().union(*pool)
    by_stem: dict[int, float] = {}
    for word in words(question):
        if word not in ASKING_WORDS:
            meant = stems(word)
            if not meant & known:
                meant = stems(_as_spelled(word, candidates)) or meant
            for stem in meant:
                by_stem[stem] = log(1 + len(pool) / (0.5 + sum(stem in held for held in pool)))
    return Weights(by_stem, sum(by_stem.values()))


def _as_spelled(word: str, candidates: Sequence[Passage]) -> str:
    """The word of the candidates that a word which none of them holds was most likely meant to be; empty if none.

    Never for names and figures, of which a slightly other one is another thing.
    """
    if len(word) < SPELLED or not word.isalpha():
        return ""
    vocabulary = {other for candidate in candidates for other in words(candidate.text) if len(other) >= SPELLED}
    return next(iter(get_close_matches(word, vocabulary, n=1, cutoff=CLOSE)), "")


def rank(
    question: str, passages: Sequence[Passage], weights: Weights, stems: Stems, embed: Embed
) -> tuple[Statement, ...]:
    """Statements of the passages, the likeliest answer first. `embed` gets the question last."""
    worded = [
        (weights.share(stems(within) | stems(above(passage))), within, number)
        for number, passage in enumerate(passages)
        for start, end in spans(passage.text)
        if _states(within := passage.text[start:end], passage)
    ]
    # stable: among equals, those of the better passage stay in front
    looked_at = sorted(worded, key=lambda item: -item[0])[:LOOKED_AT]
    if not looked_at:
        return ()
    vectors = embed([*(_in_context(passages[number], text) for _, text, number in looked_at), question])
    cosines = vectors[:-1] @ vectors[-1]
    found = [
        Statement(text, number, float(cosine), share, _of_another(question, text))
        for (share, text, number), cosine in zip(looked_at, cosines, strict=True)
    ]
    return tuple(sorted(found, key=lambda statement: -statement.score))


def _states(text: str, passage: Passage) -> bool:
    """Whether a sentence or row says something: headings, stray cells and questions don't."""
    return len(words(text)) >= SHORTEST and not text.endswith("?") and text not in passage.headings


def _of_another(question: str, text: str) -> bool:
    """Whether the text names a code or year of the kind that the question names (P200 and P350), but not that one."""
    asked, named = codes(question), codes(text)
    kinds = {_kind(code) for code in asked}
    rivals = {code for code in named if _kind(code) in kinds}
    return bool(rivals) and not any(code in other for code in asked for other in named)


def _kind(code: str) -> str:
    return code.rstrip("0123456789")


def _in_context(passage: Passage, text: str) -> str:
    return f"{passage.heading or passage.title}\n{text}"


def shown(passage: Passage) -> str:
    """All that a prompt shows of a passage: a fact may stand in its title, heading or date."""
    return f"{above(passage)}\n{passage.text}"


def above(passage: Passage) -> str:
    """What stands over a passage's text: title, headings, date."""
    date = f"{passage.date:%Y-%m-%d %B}" if passage.date else ""
    return f"{passage.title}\n{passage.heading}\n{date}"
