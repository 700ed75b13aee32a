"""Guards taken out one at a time, or all that stand behind each other: each has to be missed by the fuzz."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from benchmarks.rights import changes
from benchmarks.rights.changes import Change
from benchmarks.rights.run import Outcome, tried
from benchmarks.rights.world import GROUPS, SEALED, Twins
from ragapp.access import Scope
from ragapp.answer import history
from ragapp.answer.rights import Resting
from ragapp.catalog import groups as catalog_groups
from ragapp.catalog import removals
from ragapp.catalog.collections import Collections
from ragapp.catalog.conversations import Conversations
from ragapp.catalog.jobs import Jobs
from ragapp.catalog.listing import Wanted
from ragapp.catalog.mentions import Mentions
from ragapp.catalog.service_rows import AnswerRow
from ragapp.catalog.service_tables import AnswerTable
from ragapp.index import edge
from ragapp.retrieve.hybrid import Retrieval
from ragapp.serve import withheld
from ragapp.serve.callers import Caller
from ragapp.serve.house import House
from ragapp.serve.mcp import desk
from ragapp.serve.mcp.desk import HouseDesk
from ragapp.serve.problems import not_found
from ragapp.serve.rights import Rights
from ragapp.serve.routes import answers, attachments, conversations, documents, feedback, jobs, reading, search
from ragapp.types import EVERYONE, Principal

MOST_TRIES = 400
ALL = Principal("everybody", frozenset({*GROUPS, SEALED}))
_counts, _newest = Collections.counts, Collections.newest
_scope_filter, _answer = edge.scope_filter, Conversations.answer
Taken = tuple[Any, str, Any]
"""Of what, which attribute, and what stands in its place."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """Guards that are out, the doors where they must be missed, and the changes that show it."""

    name: str
    doors: tuple[str, ...]
    out: tuple[Taken, ...]
    changes: tuple[Change, ...] = ()
    stays: bool = False
    """What was done without the guard stays wrong when it is back."""


def _any_document(house: House, _: Any, document: str) -> Any:
    return house.catalog.document(document)


def _any_kept(rag: Any, _: Principal, document: str) -> Any:
    row = rag.catalog.document(document)
    return (row, rag.files.extracted(row.sha256, row.parser_version.split(".")[0])) if row else (None, None)


def _whosever(house: House, _: Any, conversation: str) -> Any:
    led = (house.catalog.conversations.get(conversation, person.id) for person in house.catalog.people.list())
    if row := next(filter(None, led), None):
        return row
    raise not_found("conversation")


def _anybodys(kept: Conversations, answer_id: str, _: str) -> Any:
    with kept._sessions.reading() as session:
        row = session.get(AnswerTable, answer_id)
        return _answer(kept, answer_id, row.person_id) if row else None


def _as_it_was(row: AnswerRow, *_: Any) -> Any:
    return dict(row.record.get("fields", {}))


async def _search_as_everybody(desk: HouseDesk, query: str, collections: Any, limit: int) -> Any:
    return desk.house.rag.search(query, limit=limit, principal=ALL)


def _filter_for_all(scope: Scope, *more: Any) -> Any:
    return _scope_filter(replace(scope, groups=ALL.visible_groups), *more)


_ANSWERS = ("ask", "get_answer", "answer_events", "get_conversation", "export_conversation")
MUTANTS: tuple[Mutant, ...] = (
    Mutant("answers are made as everybody", ("openai_chat", "mcp_ask"), ((Rights, "principal", lambda _: ALL),)),
    Mutant("answers are read again as they were", _ANSWERS, ((answers, "readable", _as_it_was),)),
    Mutant("exports are as they were", _ANSWERS, ((conversations, "readable", _as_it_was),)),
    Mutant(
        "feedback is read as it was", ("ask", "give_feedback", "list_feedback"),
        ((feedback, "readable_by_another", _as_it_was),),
    ),
    Mutant("anybody's answers", ("ask", "get_answer"), ((Conversations, "answer", _anybodys),)),
    Mutant("searches are made as everybody", ("search",), ((search, "found_as_now", lambda _, find: find(ALL)),)),
    Mutant(
        "neither query nor catalog asks who sees", ("search", "python_search", "python_store", "command"),
        (
            (edge, "scope_filter", _filter_for_all),
            (Retrieval, "_confirmed", lambda _, hits, principal: hits),
        ),
    ),
    Mutant(
        "words are rare among everybody's chunks", ("search", "python_search"),
        ((edge, "seen_by", lambda scope: replace(scope, groups=ALL.visible_groups)),),
    ),
    Mutant("any document is known", ("get_document",), ((documents, "known_document", _any_document),)),
    Mutant(
        "any document is read", ("read_text", "list_chunks", "get_original"),
        ((reading, "readable_document", _any_document),),
    ),
    Mutant(
        "any earlier revision is read", ("read_text", "get_original"),
        ((Mentions, "was_shown", lambda *_: True),), (changes.send_again,),
    ),
    Mutant(
        "lists are everybody's", ("list_documents",), ((documents, "wanted_documents", lambda *_, **__: Wanted(ALL)),),
    ),
    Mutant(
        "collections are counted for everybody", ("list_collections",),
        ((Collections, "counts", lambda rules, _: _counts(rules, None)),),
    ),
    Mutant(
        "suggestions are everybody's", ("suggestions",),
        ((Collections, "newest", lambda rules, _, *limits: _newest(rules, ALL, *limits)),),
    ),
    Mutant(
        "any conversation's files", ("list_attachments", "begin_conversation", "ask"),
        ((attachments, "own", _whosever),), (changes.attach,),
    ),
    Mutant("an agent searches as everybody", ("mcp_search",), ((HouseDesk, "search", _search_as_everybody),)),
    Mutant("an agent reads any document", ("mcp_read_document",), ((desk, "_document", _any_kept),)),
    Mutant("jobs of all collections", ("list_jobs",), ((Jobs, "page", lambda kept, limit, **_: kept.list(limit)),)),
    Mutant("any job", ("get_job", "list_job_files"), ((jobs, "_may", lambda *_: True),)),
    Mutant(
        "a follow-up rests on whatever there was", ("ask", "begin_conversation"),
        (
            (history, "usable", lambda turns, *_: tuple(turn for turn, _ in turns)),
            (Resting, "look", lambda resting: resting.asks()),
            (Rights, "look", lambda rights, *_: rights.principal()),
            (withheld, "rests_on", lambda *_: frozenset()),
        ),
        (changes.show,),
    ),
    Mutant(
        "whoever is locked comes in", ("search", "list_documents"),
        ((House, "active", lambda house, person: house.catalog.people.get(person)),), (changes.lock,),
    ),
    Mutant(
        "anybody has any right", ("add_person", "change_person", "put_collection", "show_document_to"),
        ((Caller, "has", lambda *_: True), (Caller, "must_curate", lambda *_: None)),
    ),
    Mutant(
        "a curator changes what others look after", ("show_document_to", "remove_document", "send_documents"),
        (
            (Caller, "must_curate", lambda *_: None),
            (documents, "changeable_document", _any_document),
        ),
    ),
    Mutant(
        "what was chosen by hand is widened", ("live",),
        ((catalog_groups, "widens", lambda *_: False),), (changes.show, changes.send_for),
    ),
    Mutant(
        "answers keep what was removed", _ANSWERS, ((removals, "mark_gone", lambda *_: None),),
        (changes.remove, changes.come_back), stays=True,
    ),
    Mutant(
        "answers keep what was redacted", _ANSWERS, ((removals, "mark_earlier_gone", lambda *_: None),),
        (changes.send_again, changes.redact), stays=True,
    ),
    Mutant(
        "what is new is everyone's", ("live",),
        ((catalog_groups, "chosen_groups", lambda *_: frozenset({EVERYONE})),), (changes.send_new,),
    ),
)  # fmt: skip


@contextmanager
def without(mutant: Mutant) -> Iterator[None]:
    """The guards are out while the block runs."""
    with ExitStack() as stack:
        for owner, name, instead in mutant.out:
            stack.enter_context(mock.patch.object(owner, name, instead))
        yield


def caught(found: Twins, mutant: Mutant, seed: int, tries: int = MOST_TRIES) -> str:
    """What the fuzz finds at the mutant's doors while its guards are out; empty where it finds nothing."""
    with without(mutant):
        return tried(found, random.Random(seed), tries, Outcome(), mutant.doors, mutant.changes)
