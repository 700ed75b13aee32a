"""What is measured of answers: shares with their counts and intervals. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

_Z = 1.96
"""Two-sided 95% of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many, with the Wilson score interval at 95% (Wilson 1927): it holds for few and for extremes."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        return self.hits / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """(low, high), each 0 to 1."""
        if not self.of:
            return (0.0, 1.0)
        n, p = self.of, self.value
        centre = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z * sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
        return (max(0.0, centre - half), min(1.0, centre + half))


def share(outcomes: Iterable[bool]) -> Share:
    """The share of true outcomes."""
    kept = list(outcomes)
    return Share(sum(kept), len(kept))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question."""

    id: str
    answerable: bool
    half: str
    groups: tuple[str, ...]
    found: bool
    """A right source stands among the first five passages."""
    answered: bool
    cited: bool
    """Answered, with a citation into a right source."""
    held: bool
    """Answered, and the answer holds the expected figures and names."""
    reason: str


def metrics(outcomes: Iterable[Outcome]) -> dict[str, Share]:
    """The four shares of an evaluation, and whether the wording holds the expected facts."""
    kept = list(outcomes)
    answerable = [o for o in kept if o.answerable]
    unanswerable = [o for o in kept if not o.answerable]
    return {
        "right source in the first five passages": share(o.found for o in answerable),
        "answered with a citation into the right source": share(o.cited for o in answerable),
        "unanswerable refused": share(not o.answered for o in unanswerable),
        "answerable wrongly refused": share(not o.answered for o in answerable),
        "expected figures and names in the answer": share(o.held for o in answerable),
    }
