"""Whether there is enough evidence to answer: decided from absolute measures, never from the model's mood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragapp.answer.asking import ASKING_WORDS
from ragapp.answer.citations import Cited
from ragapp.answer.prompt import NO_ANSWER
from ragapp.answer.statements import Embed, Statement, Weights, rank, shown, weigh_words
from ragapp.answer.words import Stems, codes, names, words
from ragapp.settings import AnswerSettings
from ragapp.types import NearDocument, Passage


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether to answer, and with what at hand."""

    reason: str
    """Empty where the evidence suffices, else why it doesn't, with the figures."""
    statements: tuple[Statement, ...] = ()
    """Sentences and rows of the passages, the likeliest answer first."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for an answer being in the documents."""

    cosine: float
    """Best raw cosine of the question and any chunk, -1 to 1."""
    rare_words: float
    """Share of the question's words, weighed by rarity, that the best passage holds, 0 to 1; where the question names
    something, only passages that name it too are asked."""
    missing: tuple[str, ...]
    """The question's words that no given passage holds."""
    unnamed: tuple[str, ...]
    """Names, codes and years of the question that no given passage holds."""


_LIKELY = 5
"""Statements among which the nearest one in meaning is looked for."""


def weigh(
    question: str, passages: Sequence[Passage], candidates: Sequence[Passage], weights: Weights, stems: Stems
) -> Evidence:
    """The evidence that `passages` hold for the question."""
    held = [stems(shown(passage)) for passage in passages]
    together: frozenset[int] = frozenset().union(*held)
    cosine = max((c.scores["dense"].score for c in candidates if "dense" in c.scores), default=0.0)
    named = {name: stems(name) for name in sorted(names(question) | codes(question)) if stems(name)}
    naming = [sum(stem <= passage for stem in named.values()) for passage in held]
    shares = [weights.share(passage) for passage, count in zip(held, naming, strict=True) if count == max(naming)]
    unnamed = tuple(name for name, stem in named.items() if not stem <= together)
    asked = [word for word in dict.fromkeys(words(question)) if word not in ASKING_WORDS and stems(word)]
    missing = tuple(word for word in asked if not stems(word) & together)
    return Evidence(cosine, max(shares, default=0.0), missing, unnamed)


def judge(
    question: str,
    passages: Sequence[Passage],
    candidates: Sequence[Passage],
    stems: Stems,
    embed: Embed,
    settings: AnswerSettings,
) -> Judgement:
    """Whether `passages` hold enough evidence for an answer. Sentences are only embedded where the rest suffices."""
    weights = weigh_words(question, candidates, stems)
    evidence = weigh(question, passages, candidates, weights, stems)
    if evidence.cosine < settings.min_cosine:
        return Judgement(f"the nearest text has a cosine of {evidence.cosine:.2f}, under {settings.min_cosine:.2f}")
    if evidence.unnamed:
        return Judgement(f"no passage names {', '.join(evidence.unnamed)}")
    statements = rank(question, passages, weights, stems, embed)
    nearest = max((statement.cosine for statement in statements[:_LIKELY]), default=0.0)
    if nearest + evidence.rare_words < settings.min_evidence:
        missing = ", ".join(evidence.missing[:5]) or "none, but never together"
        return Judgement(
            f"the best sentence has a cosine of {nearest:.2f} and the best passage {evidence.rare_words:.0%} of the "
            f"question's rare words, together under {settings.min_evidence:.2f}; missing words: {missing}"
        )
    return Judgement("", statements)


def stands(cited: Cited, settings: AnswerSettings) -> bool:
    """Whether a sentence may be shown as supported by what it cites."""
    return bool(cited.citations) and not cited.invented and cited.support >= settings.min_support


def declines(sentence: str, passages: Sequence[Passage]) -> bool:
    """Whether the model says that the passages don't hold the answer: the words for it, perhaps spelled its own way.
    Where a passage holds them too, only a sentence of nothing else says so."""
    letters = "".join(filter(str.isalpha, sentence)).casefold()
    said = NO_ANSWER in sentence and not any(NO_ANSWER in passage.text for passage in passages)
    return said or letters == "notfound"


def nearest_documents(candidates: Sequence[Passage], limit: int = 3) -> tuple[NearDocument, ...]:
    """The documents whose chunks came nearest by cosine, each once."""
    near: dict[str, NearDocument] = {}
    for candidate in sorted(candidates, key=_cosine, reverse=True):
        near.setdefault(candidate.document_id, _near(candidate))
    return tuple(near.values())[:limit]


def _near(candidate: Passage) -> NearDocument:
    similarity = round(_cosine(candidate), 3)
    return NearDocument(candidate.source, candidate.title, candidate.page, similarity, candidate.document_id)


def _cosine(candidate: Passage) -> float:
    return candidate.scores["dense"].score if "dense" in candidate.scores else -1.0
