"""What of a conversation may still be used: rights to its passages are looked up at every question."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ragapp.answer.rights import Confirms
from ragapp.catalog.mentions import WITHHELD
from ragapp.types import Principal, Turn

__all__ = ["WITHHELD", "confirmed", "usable"]


def usable(turns: Iterable[tuple[Turn, frozenset[str]]], principal: Principal, catalog: Confirms) -> tuple[Turn, ...]:
    """The turns, each given with the ids of the documents that it rests on; without passages, prompt and answer where
    rights to one of those were lost. One query."""
    given = tuple(turns)
    named = frozenset[str]().union(*(rests_on for _, rests_on in given))
    visible = catalog.visible(named, principal) if named else set()
    return tuple(turn if rests_on <= visible else Turn(turn.question, WITHHELD) for turn, rests_on in given)


def resting(history: Iterable[Turn]) -> Iterator[tuple[Turn, frozenset[str]]]:
    """Each turn with the ids of all documents that its answer's words can come from. Where nobody noted them, those are
    all up to it, which its prompt may have held."""
    before: frozenset[str] = frozenset()
    for turn in history:
        rests_on = (before if turn.rests_on is None else turn.rests_on) | {each.document_id for each in turn.passages}
        before |= rests_on
        yield turn, rests_on


def confirmed(history: Sequence[Turn], principal: Principal, catalog: Confirms) -> tuple[Turn, ...]:
    """The turns as this principal may use them now."""
    return usable(resting(history), principal, catalog)


def documents_of(history: Iterable[Turn]) -> frozenset[str]:
    """Ids of all documents that these turns rest on."""
    return frozenset[str]().union(*(rests_on for _, rests_on in resting(history)))
