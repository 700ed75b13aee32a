"""What of a conversation may still be used: rights to its passages are looked up at every question."""

from __future__ import annotations

from collections.abc import Sequence

from ragapp.catalog.catalog import Catalog
from ragapp.types import Principal, Turn

WITHHELD = "This answer rested on documents that were removed, or that you may not see any more."


def usable(turn: Turn, principal: Principal, catalog: Catalog, rests_on: set[str]) -> Turn:
    """The turn, without passages, prompt and answer where rights to one of the documents it rests on were lost."""
    if rests_on <= catalog.visible(rests_on, principal):
        return turn
    return Turn(turn.question, WITHHELD)


def confirmed(history: Sequence[Turn], principal: Principal, catalog: Catalog) -> tuple[Turn, ...]:
    """The turns as this principal may use them now. An answer rests on all passages up to it, which its prompt held."""
    rests_on: set[str] = set()
    kept = []
    for turn in history:
        rests_on |= {passage.document_id for passage in turn.passages}
        kept.append(usable(turn, principal, catalog, rests_on))
    return tuple(kept)
