"""Words that stand nowhere else, and what each of them gives away."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

_ONSETS = ("b", "br", "d", "dr", "f", "g", "gr", "k", "kl", "m", "p", "pl", "r", "t", "tr", "v", "z")
_VOWELS = ("a", "e", "i", "o", "u")
Kind = Literal["content", "name", "probe"]
"""Of a revision's text; of a document's name; of its text too, but said by people who ask for it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a word gives away to whoever reads it."""

    kind: Kind
    document: str
    collection: str
    revision: int


@dataclass(slots=True)
class Words:
    """All words that were handed out."""

    chance: random.Random
    known: dict[str, Told] = field(default_factory=dict)

    def new(self, kind: Kind, document: str, collection: str, revision: int = 0) -> str:
        """A word of eight letters and more, no part of another one, that no stemmer shortens."""
        while True:
            word = "".join(self.chance.choice(_ONSETS) + self.chance.choice(_VOWELS) for _ in range(4)) + "x"
            if not any(word in other or other in word for other in self.known):
                self.known[word] = Told(kind, document, collection, revision)
                return word

    def probes(self) -> list[str]:
        """Words that may be asked for; the oracle of words passes over them."""
        return [word for word, told in self.known.items() if told.kind == "probe"]

    def found_in(self, said: str) -> list[tuple[str, Told]]:
        """Which words that nobody says stand in a reply."""
        return [(word, told) for word, told in self.known.items() if told.kind != "probe" and word in said]
