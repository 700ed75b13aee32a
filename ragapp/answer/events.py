"""What a reader is told while an answer comes, in this order: passages, sentences with their citations, done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ragapp.types import Answer, Citation, Passage, Sentence


class _Step:
    """An event. They add up to the answer, since LangChain adds up what is streamed for a step that takes the whole."""

    __slots__ = ()

    def __add__(self, later: Any) -> Any:
        return later.answer if isinstance(later, Done) else later


@dataclass(frozen=True, slots=True)
class PassagesFound(_Step):
    """What retrieval found for the question."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class TokenArrived(_Step):
    """A raw piece of generated text, unchecked; only sent when asked for."""

    text: str


@dataclass(frozen=True, slots=True)
class CitationReady(_Step):
    """A citation that the next sentence refers to; each is sent once, before its first sentence."""

    citation: Citation


@dataclass(frozen=True, slots=True)
class SentenceReady(_Step):
    """A sentence that was checked against what it cites."""

    sentence: Sentence


@dataclass(frozen=True, slots=True)
class Done(_Step):
    """The whole answer; nothing follows."""

    answer: Answer


Event = PassagesFound | TokenArrived | CitationReady | SentenceReady | Done
