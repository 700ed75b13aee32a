"""What of a conversation may still be used: rights to its passages are looked up at every question."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ragapp.catalog.catalog import Catalog
from ragapp.catalog.mentions import WITHHELD
from ragapp.types import Principal, Turn

__all__ = ["WITHHELD", "confirmed", "usable"]


def usable(turns: Iterable[tuple[Turn, frozenset[str]]], principal: Principal, catalog: Catalog) -> tuple[Turn, ...]:
    """The turns, each given with the ids of the documents that it rests on; without passages, prompt and answer where
    rights to one of those were lost. One query."""
    resting = tuple(turns)
    visible = catalog.visible(frozenset().union(*(rests_on for _, rests_on in resting)), principal)
    return tuple(turn if rests_on <= visible else Turn(turn.question, WITHHELD) for turn, rests_on in resting)


def confirmed(history: Sequence[Turn], principal: Principal, catalog: Catalog) -> tuple[Turn, ...]:
    """The turns as this principal may use them now. An answer rests on all passages up to it, which its prompt held."""
    rests_on: frozenset[str] = frozenset()
    resting = []
    for turn in history:
        rests_on |= {passage.document_id for passage in turn.passages}
        resting.append((turn, rests_on))
    return usable(resting, principal, catalog)
