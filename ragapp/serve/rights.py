"""What whoever sent a request may at this moment: looked up as long as they wait or listen, and never frozen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TypeVar

from ragapp.answer.rights import CHANGED
from ragapp.errors import RightsChanged
from ragapp.serve.callers import Caller
from ragapp.serve.house import House
from ragapp.serve.naming import OF_CONVERSATIONS
from ragapp.types import Principal

SIGNED_OUT = "You may not ask any more: you were signed out, or your account or token was withdrawn; sign in again."
T = TypeVar("T")
_TRIES = 3
_GOOD_S = 1.0
"""How long a look is good for where nothing is committed: tokens and sessions end by the clock."""


class SignedOut(RightsChanged):
    """What somebody came with lets nobody in any more."""

    status = HTTPStatus.UNAUTHORIZED

    def __init__(self) -> None:
        super().__init__(SIGNED_OUT)
        self.headers = {"WWW-Authenticate": "Bearer"}


def conversation_group(conversation_id: str) -> str:
    """The group that sees the files of one conversation, and the collection they are in. No person is ever put into
    it: whoever asks inside their own conversation asks with it. An admin can't make a group with such a name."""
    return f"{OF_CONVERSATIONS}{conversation_id}"


def asker(house: House, caller: Caller, conversation_id: str | None) -> Principal:
    """The caller as they ask: with the files of their conversation, where it has some."""
    if conversation_id and house.catalog.conversations.attachments(conversation_id):
        groups = caller.principal.groups | {conversation_group(conversation_id)}
        return replace(caller.principal, groups=groups)
    return caller.principal


@dataclass(slots=True)
class Rights:
    """The rights of one request's sender, in a conversation of theirs where there is one. Threads may share it.

    A look is one question to the catalog where nothing was committed since the last one, and some where something was.
    """

    house: House
    caller: Caller
    conversation_id: str | None = None
    _known: tuple[int, float, Principal] | None = field(default=None, repr=False)
    """(catalog's version, when, who asks) of the last look."""
    _seen: tuple[int, Principal, frozenset[str]] | None = field(default=None, repr=False)

    def principal(self) -> Principal:
        """Who asks, as they are now. Raises SignedOut, and RightsChanged where the conversation is theirs no more."""
        version, now = self.house.catalog.version(), time.monotonic()
        known = self._known
        if known and known[0] == version and now - known[1] < _GOOD_S:
            return known[2]
        caller = self.caller.again()
        if caller is None or caller.person.id != self.caller.person.id or not caller.has("ask"):
            raise SignedOut
        if self.conversation_id and not self.house.catalog.conversations.get(self.conversation_id, caller.person.id):
            raise RightsChanged(CHANGED)
        principal = asker(self.house, caller, self.conversation_id)
        self._known = (version, now, principal)
        return principal

    def look(self, documents: frozenset[str] = frozenset()) -> Principal:
        """Who asks, if they may see all of these documents; raises RightsChanged otherwise."""
        version = self.house.catalog.version()
        principal = self.principal()
        now = (version, principal, documents)
        if documents and now != self._seen:
            if not documents <= self.house.catalog.visible(documents, principal):
                raise RightsChanged(CHANGED)
            self._seen = now
        return principal


def found_as_now(rights: Rights, search: Callable[[Principal], T]) -> T:
    """What a search finds for whoever asks, as they are at its end: it may wait for models, or behind what is embedded.

    Where their groups changed meanwhile it is searched anew, since what they may not see counts in no score. Raises
    RightsChanged where they go on changing, and SignedOut.
    """
    for _ in range(_TRIES):
        principal = rights.principal()
        found = search(principal)
        if rights.principal() == principal:
            return found
    raise RightsChanged(CHANGED)
