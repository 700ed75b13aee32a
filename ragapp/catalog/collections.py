"""Collections: what they are called, and who sees what is put into them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import func, select

from ragapp.access import said_groups
from ragapp.catalog.chosen import chosen_groups, note_served
from ragapp.catalog.mapping import add_collection, to_rows, visible_to
from ragapp.catalog.rows import DocumentRow
from ragapp.catalog.service_rows import CollectionRow
from ragapp.catalog.service_tables import CollectionRuleTable
from ragapp.catalog.sessions import Sessions
from ragapp.catalog.tables import CollectionTable, DocumentTable
from ragapp.names import refuse_internal
from ragapp.types import Principal


class Collections:
    """The collections of one catalog."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def put(self, name: str, groups: str | Iterable[str], title: str = "") -> CollectionRow:
        """Make a collection, or say anew who sees what is put into it from now on; what is in keeps its groups.

        Raises SettingsError where no group is named, CatalogError for names that are a conversation's own.
        """
        chosen = said_groups(groups) or frozenset()
        refuse_internal([name], "collection")
        refuse_internal(chosen, "group")
        rule = CollectionRuleTable(collection=name, groups=json.dumps(sorted(chosen)), title=title[:200])
        with self._sessions.writing() as session:
            add_collection(session, name, datetime.now(UTC))
            session.merge(rule)
        return CollectionRow(name, rule.title, frozenset(json.loads(rule.groups)))

    def groups_of_new(self, name: str, said: frozenset[str] | None = None) -> frozenset[str]:
        """Who would see a document that is put into a collection now: whom the caller said, else whom its rule names.

        Raises NobodyChosen where neither says it and the house is shared.
        """
        with self._sessions.reading() as session:
            return chosen_groups(session, name, said)

    def note_served(self, *, with_accounts: bool) -> None:
        """A service of this process lets people sign in from now on, so that nothing is everyone's for want of a
        choice; or it does so no longer."""
        with self._sessions.writing() as session:
            note_served(session, with_accounts)

    def get(self, name: str) -> CollectionRow | None:
        """None where there is none of that name."""
        with self._sessions.reading() as session:
            if session.get(CollectionTable, name) is None:
                return None
            return _row(name, session.get(CollectionRuleTable, name))

    def list(self) -> tuple[CollectionRow, ...]:
        """All of them, by name."""
        wanted = (
            select(CollectionTable.name, CollectionRuleTable)
            .join(CollectionRuleTable, CollectionRuleTable.collection == CollectionTable.name, isouter=True)
            .order_by(CollectionTable.name)
        )
        with self._sessions.reading() as session:
            return tuple(_row(name, rule) for name, rule in session.execute(wanted))

    def counts(self, principal: Principal | None) -> dict[str, int]:
        """Live documents by collection that has any; with a principal, only those that it may see."""
        wanted = select(DocumentTable.collection, func.count()).where(DocumentTable.state == "live")
        if principal is not None:
            wanted = wanted.where(DocumentTable.id.in_(visible_to(principal)))
        with self._sessions.reading() as session:
            found = session.execute(wanted.group_by(DocumentTable.collection)).all()
            return {str(name): int(count) for name, count in found}

    def newest(self, principal: Principal, most_chunks: int, limit: int) -> tuple[DocumentRow, ...]:
        """Live documents that a principal may see and that are no longer than this, the last changed first."""
        wanted = (
            select(DocumentTable)
            .where(
                DocumentTable.state == "live",
                DocumentTable.chunks.between(1, most_chunks),
                DocumentTable.id.in_(visible_to(principal)),
            )
            .order_by(DocumentTable.changed.desc(), DocumentTable.id)
            .limit(limit)
        )
        with self._sessions.reading() as session:
            return tuple(to_rows(session, session.scalars(wanted).all()))


def _row(name: str, rule: CollectionRuleTable | None) -> CollectionRow:
    if rule is None:
        return CollectionRow(name, "", None)
    return CollectionRow(name, rule.title, frozenset(json.loads(rule.groups)))
