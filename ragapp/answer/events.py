"""What a reader is told while an answer comes, in this order: passages, sentences with their citations, done."""

from __future__ import annotations

from dataclasses import dataclass

from ragapp.types import Answer, Citation, Passage, Sentence


@dataclass(frozen=True, slots=True)
class PassagesFound:
    """What retrieval found for the question."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class TokenArrived:
    """A raw piece of generated text, unchecked; only sent when asked for."""

    text: str


@dataclass(frozen=True, slots=True)
class CitationReady:
    """A citation that the next sentence refers to; each is sent once, before its first sentence."""

    citation: Citation


@dataclass(frozen=True, slots=True)
class SentenceReady:
    """A sentence that was checked against what it cites."""

    sentence: Sentence


@dataclass(frozen=True, slots=True)
class Done:
    """The whole answer; nothing follows."""

    answer: Answer


Event = PassagesFound | TokenArrived | CitationReady | SentenceReady | Done
