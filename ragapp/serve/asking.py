"""From what a person sent to what the answer chain is asked: rights, conversation, history, narrowing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import takewhile

from ragapp.access import Scope, narrow
from ragapp.answer import history
from ragapp.catalog.conversations import new_row
from ragapp.catalog.service_rows import AnswerRow, ConversationRow, Door
from ragapp.serve.answers import Asking
from ragapp.serve.callers import Caller
from ragapp.serve.house import House
from ragapp.serve.naming import OF_CONVERSATIONS
from ragapp.serve.problems import not_found
from ragapp.serve.turns import turn_from_json
from ragapp.serve.withheld import documents_of
from ragapp.types import Principal, Turn

_TITLE = 80


def conversation_group(conversation_id: str) -> str:
    """The group that sees the files of one conversation, and the collection they are in. No person is ever put into
    it: whoever asks inside their own conversation asks with it. An admin can't make a group with such a name."""
    return f"{OF_CONVERSATIONS}{conversation_id}"


def narrowing(collections: Iterable[str]) -> Scope | None:
    """Only these collections; None for all. The groups are the asker's and never taken from here."""
    named = frozenset(collections)
    return narrow(collections=named) if named else None


def asker(house: House, caller: Caller, conversation_id: str | None) -> Principal:
    """The caller as they ask: with the files of their conversation, where it has some."""
    if conversation_id and house.catalog.conversations.attachments(conversation_id):
        groups = caller.principal.groups | {conversation_group(conversation_id)}
        return replace(caller.principal, groups=groups)
    return caller.principal


def prepare(
    house: House,
    caller: Caller,
    question: str,
    *,
    door: Door = "api",
    conversation_id: str | None = None,
    new_conversation: bool = False,
    replaces: str | None = None,
    narrowed: Scope | None = None,
    history: tuple[Turn, ...] = (),
) -> Asking:
    """All that the answer needs. Raises Refused where the conversation is not the caller's."""
    begins = None
    if conversation_id:
        conversation = _own(house, caller, conversation_id)
    elif new_conversation:
        conversation = begins = _beginning(caller, question, narrowed)
    else:
        return Asking(
            caller.person.id, caller.principal, question, door, None, narrowed, history, admin=caller.is_admin
        )
    principal = asker(house, caller, conversation.id)
    chosen = narrowed.collections if narrowed else conversation.collections
    if chosen:
        # the conversation's own files are always meant
        narrowed = narrow(collections=chosen | {conversation_group(conversation.id)})
    rows = house.catalog.conversations.answers(conversation.id, caller.person.id)
    before = list(takewhile(lambda row: row.id != replaces, rows))
    return Asking(
        caller.person.id, principal, question, door, conversation.id, narrowed, history_of(house, principal, before),
        begins, tuple(row.id for row in rows[len(before) :]), caller.is_admin,
    )  # fmt: skip


def history_of(house: House, principal: Principal, rows: Iterable[AnswerRow]) -> tuple[Turn, ...]:
    """The turns that a follow-up grows from, without what the asker may not see any more."""
    turns = [
        (turn_from_json(kept), documents_of(row.record["fields"], row.record["prompted"]))
        for row in rows
        if (kept := row.record.get("turn"))
    ]
    return history.usable(turns, principal, house.catalog)


def _own(house: House, caller: Caller, conversation_id: str) -> ConversationRow:
    found = house.catalog.conversations.get(conversation_id, caller.person.id)
    if found is None:
        raise not_found("conversation")
    return found


def _beginning(caller: Caller, question: str, narrowed: Scope | None) -> ConversationRow:
    """The conversation that a question begins; it is kept together with the question."""
    title = " ".join(question.split())
    short = title if len(title) <= _TITLE else f"{title[: _TITLE - 1]}…"
    return new_row(caller.person.id, short, narrowed.collections if narrowed else ())
