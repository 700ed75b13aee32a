"""Who may read what, from the catalog's rows by plain SQL: none of the product's code says it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.rights.words import Told

ATTACHED = "conversation/"
"""Begins the collection of what is attached to a conversation."""
_RIGHTS = (
    "SELECT document_id, group_name FROM document_groups ORDER BY 1, 2",
    "SELECT id, collection, source, state FROM documents WHERE collection NOT LIKE 'conversation/%' ORDER BY 1",
    "SELECT id, name, role, active FROM people ORDER BY 1",
    "SELECT person_id, group_name, given_by FROM memberships ORDER BY 1, 2, 3",
    "SELECT person_id, collection FROM curators ORDER BY 1, 2",
    "SELECT collection, groups FROM collection_rules ORDER BY 1",
    "SELECT name, url, collection, groups, rules FROM origins ORDER BY 1",
    "SELECT name FROM named_groups ORDER BY 1",
)
"""What nobody without the right may have changed."""


@dataclass(frozen=True, slots=True)
class Document:
    """A live document."""

    collection: str
    source: str
    revision: int
    container: str
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account."""

    id: str
    active: bool
    groups: frozenset[str]
    curates: frozenset[str]


@dataclass(frozen=True, slots=True)
class Truth:
    """The catalog at one moment."""

    documents: dict[str, Document]
    people: dict[str, Person]
    talks: dict[str, str]
    """Conversation → the id of whoever leads it."""
    rights: tuple[object, ...] = field(repr=False, default=())

    def sees(self, name: str, document: str) -> bool:
        """Whether somebody's groups see a document, or it is attached to a conversation of theirs."""
        row, person = self.documents.get(document), self.people.get(name)
        if row is None or person is None or not person.active:
            return False
        if row.collection.startswith(ATTACHED):
            return self.talks.get(row.collection.removeprefix(ATTACHED)) == person.id
        return bool(row.groups & (person.groups | {"everyone"}))

    def looks_after(self, name: str, collection: str) -> bool:
        """Whether somebody is a curator of a collection."""
        person = self.people.get(name)
        return person is not None and person.active and collection in person.curates

    def may_read(self, name: str, told: Told, *, was_shown: bool, as_curator: bool, admin: bool) -> bool:
        """Whether somebody may read a word.

        `was_shown` that it was in an answer of theirs, `as_curator` that a document's own address is asked, which its
        curator may.
        """
        row = self.documents.get(told.document)
        cared_for = self.looks_after(name, told.collection)
        if told.kind == "name":
            # lists of documents and reports of jobs name what is in, and what was
            return (admin and not told.collection.startswith(ATTACHED)) or cared_for or self.sees(name, told.document)
        if row is None:
            return False
        seen = self.sees(name, told.document)
        if row.revision != told.revision:
            return was_shown and (seen or (as_curator and cared_for))
        return seen or (as_curator and cared_for)


def look(data: Path) -> Truth:
    """The catalog of a data folder as it is committed now."""
    kept = sqlite3.connect(f"file:{data / 'catalog.db'}?mode=ro", uri=True)
    try:
        groups: dict[str, set[str]] = {}
        for document, group in kept.execute("SELECT document_id, group_name FROM document_groups"):
            groups.setdefault(document, set()).add(group)
        documents = {
            key: Document(collection, source, revision, container, frozenset(groups.get(key, ())))
            for key, collection, source, revision, container in kept.execute(
                "SELECT id, collection, source, revision, container FROM documents WHERE state = 'live'"
            )
        }
        people = {
            name: Person(key, bool(active), _all(kept, "memberships", "group_name", key), _curated(kept, key))
            for key, name, active in kept.execute("SELECT id, name, active FROM people")
        }
        talks = dict(kept.execute("SELECT id, person_id FROM conversations").fetchall())
        rights = tuple(tuple(kept.execute(each).fetchall()) for each in _RIGHTS)
        return Truth(documents, people, talks, rights)
    finally:
        kept.close()


def _curated(kept: sqlite3.Connection, person: str) -> frozenset[str]:
    return _all(kept, "curators", "collection", person)


def _all(kept: sqlite3.Connection, table: str, column: str, person: str) -> frozenset[str]:
    found = kept.execute(f"SELECT {column} FROM {table} WHERE person_id = ?", (person,))
    return frozenset(value for (value,) in found)
