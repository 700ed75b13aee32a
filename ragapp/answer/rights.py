"""Whether whoever asks may still see what their answer rests on: looked up as long as it is made, each time that
something of it is let out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from ragapp.errors import RightsChanged
from ragapp.types import Principal

CHANGED = "Your rights changed while this was answered; ask again."
WhoAsks = Callable[[], Principal]
"""Who asks, with the groups that they are in at the moment of the call. Raises RightsChanged where they may not ask any
more."""


class Confirms(Protocol):
    """What the catalog is asked here."""

    def version(self) -> int:
        """Another number after each commit, of whichever process."""

    def visible(self, ids: Iterable[str], principal: Principal) -> set[str]:
        """Of these documents those that are live and visible to the principal."""


@dataclass(slots=True)
class Resting:
    """The documents that an answer rests on so far, and who asks."""

    asks: WhoAsks
    catalog: Confirms
    documents: frozenset[str] = frozenset()
    _seen: tuple[int, Principal, frozenset[str]] | None = field(default=None, repr=False)
    """With which the last look found that all is well."""

    def look(self) -> Principal:
        """Who asks at this moment. Raises RightsChanged where they may not see all of the documents any more."""
        version = self.catalog.version()  # first: what is committed while this looks is looked up the next time
        principal = self.asks()
        now = (version, principal, self.documents)
        if now != self._seen:
            if self.documents and not self.documents <= self.catalog.visible(self.documents, principal):
                raise RightsChanged(CHANGED)
            self._seen = now
        return principal
