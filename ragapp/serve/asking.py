"""From what a person sent to what the answer chain is asked: rights, conversation, history, narrowing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import takewhile

from ragapp.access import Scope, narrow
from ragapp.answer import history
from ragapp.catalog.conversations import new_row
from ragapp.catalog.service_rows import AnswerRow, ConversationRow, Door
from ragapp.serve.answers import Asking, History, no_history
from ragapp.serve.callers import Caller
from ragapp.serve.house import House
from ragapp.serve.problems import not_found
from ragapp.serve.readable import words_alone
from ragapp.serve.rights import Rights, conversation_group
from ragapp.serve.turns import turn_from_json
from ragapp.serve.withheld import rests_on
from ragapp.types import Principal, Turn

_TITLE = 80


def narrowing(collections: Iterable[str]) -> Scope | None:
    """Only these collections; None for all. The groups are the asker's and never taken from here."""
    named = frozenset(collections)
    return narrow(collections=named) if named else None


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
    history: History = no_history,
) -> Asking:
    """All that the answer needs; who asks, and what they may use of what was said before, is looked up when its turn
    comes. Raises Refused where the conversation is not the caller's."""
    begins = None
    if conversation_id:
        conversation = _own(house, caller, conversation_id)
    elif new_conversation:
        conversation = begins = _beginning(caller, question, narrowed)
    else:
        return Asking(
            caller.person.id, Rights(house, caller), question, door, None, narrowed, history, admin=caller.is_admin
        )
    chosen = narrowed.collections if narrowed else conversation.collections
    if chosen:
        # the conversation's own files are always meant
        narrowed = narrow(collections=chosen | {conversation_group(conversation.id)})
    rows = house.catalog.conversations.answers(conversation.id, caller.person.id)
    before = list(takewhile(lambda row: row.id != replaces, rows))
    return Asking(
        caller.person.id, Rights(house, caller, conversation.id), question, door, conversation.id, narrowed,
        partial(history_of, house), begins, tuple(row.id for row in rows[len(before) :]), caller.is_admin,
    )  # fmt: skip


def history_of(house: House, row: AnswerRow, principal: Principal) -> tuple[Turn, ...]:
    """The turns that a follow-up grows from, without what the asker may not see any more."""
    before = house.catalog.conversations.before(row)
    turns = [_turn(house, each) for each in before if each.record.get("turn")]
    return history.confirmed(turns, principal, house.catalog)


def handed_in(house: House, turns: tuple[Turn, ...], row: AnswerRow, principal: Principal) -> tuple[Turn, ...]:
    """The turns that a program hands in with a question. What the service answered the same person before rests on what
    that rested on, and is left out where they may not see it any more; other words are the program's own."""
    if not turns:
        return ()
    given: dict[tuple[str, str], frozenset[str]] = {}
    for kept in house.catalog.conversations.asked(row.person_id, {turn.question for turn in turns}):
        said = (kept.question, _plain(kept.record.get("turn", {}).get("answer", "")))
        given[said] = given.get(said, frozenset()) | rests_on(kept, house.catalog)
    found = [replace(turn, rests_on=given.get((turn.question, _plain(turn.answer)), frozenset())) for turn in turns]
    return history.confirmed(found, principal, house.catalog)


def _plain(text: str) -> str:
    return " ".join(words_alone(text).split())


def _turn(house: House, row: AnswerRow) -> Turn:
    # of answers of older versions it is what all turns up to them rest on, which the history tells by itself
    noted = rests_on(row, house.catalog) if "rests_on" in row.record else None
    return replace(turn_from_json(row.record["turn"]), rests_on=noted)


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
