"""Who may see what, changed by hand: in one commit, with a mark for the index, which follows."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from ragapp.catalog.mapping import to_origin_table
from ragapp.catalog.rows import DocumentRow, OriginRow
from ragapp.catalog.sessions import Sessions
from ragapp.catalog.tables import DocumentTable, GroupChangeTable, GroupTable, OriginTable, RevisionTable
from ragapp.errors import CatalogError
from ragapp.types import EVERYONE

_PAGE = 500


class GroupChanges:
    """Changes of groups in one catalog."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def change(self, groups: Mapping[str, frozenset[str]], origin: OriginRow | None = None) -> int:
        """Give documents their groups, and a synced source its groups and rules, in one commit; returns how many.

        It holds for every search from then on. Documents that are not there are passed over.
        """
        wanted = list(groups)
        changed = 0
        with self._sessions.writing() as session:
            for start in range(0, len(wanted), _PAGE):
                changed += _change(session, {key: groups[key] for key in wanted[start : start + _PAGE]})
            if origin is not None:
                session.merge(to_origin_table(origin, origin.created or datetime.now(UTC)))
        return changed

    def due(self) -> Iterator[tuple[str, frozenset[str]]]:
        """Documents whose chunks in the index carry other groups than they should, and the groups they should have."""
        last = ""
        wanted = select(GroupChangeTable.document_id).where(GroupChangeTable.due).order_by(GroupChangeTable.document_id)
        while True:
            with self._sessions.reading() as session:
                page = session.scalars(wanted.where(GroupChangeTable.document_id > last).limit(_PAGE)).all()
                found = _groups(session, page)
            if not page:
                return
            yield from found.items()
            last = page[-1]

    def settle(self, followed: Mapping[str, frozenset[str]]) -> None:
        """The index carries these groups now, durably; a document that was changed again meanwhile stays due."""
        ids = list(followed)
        with self._sessions.writing() as session:
            for start in range(0, len(ids), _PAGE):
                now = _groups(session, ids[start : start + _PAGE])
                same = [key for key, groups in now.items() if groups == followed[key]]
                session.execute(
                    update(GroupChangeTable).where(GroupChangeTable.document_id.in_(same)).values(due=False)
                )

    def counts(self) -> dict[str, int]:
        """How many live documents each group sees."""
        wanted = (
            select(GroupTable.group, func.count())
            .join(DocumentTable, DocumentTable.id == GroupTable.document_id)
            .where(DocumentTable.state == "live")
            .group_by(GroupTable.group)
        )
        with self._sessions.reading() as session:
            return {str(group): int(count) for group, count in session.execute(wanted)}

    def known(self) -> frozenset[str]:
        """Every group that a document or a synced source has."""
        with self._sessions.reading() as session:
            groups = set(session.scalars(select(GroupTable.group).distinct()))
            for own, rules in session.execute(select(OriginTable.groups, OriginTable.rules)):
                groups.update(json.loads(own), *(rule[1] for rule in json.loads(rules)))
        return frozenset(groups | {EVERYONE})


def groups_to_keep(session: Session, row: DocumentRow) -> frozenset[str]:
    """The groups that a new revision goes live with: its own, unless they were changed by hand after it was begun."""
    change = session.get(GroupChangeTable, row.id)
    if change is None or row.revision > change.revision:
        return row.groups
    # its chunks were written with the groups from before
    change.due = True
    return _groups(session, [row.id])[row.id] or row.groups


def unknown_groups(groups: Iterable[str], known: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Of these groups those that nothing had before, each with the known names nearest to it."""
    names = sorted(known)
    by_case = {name.casefold(): name for name in names}
    return {
        group: tuple(
            by_case[near] for near in difflib.get_close_matches(group.casefold(), list(by_case), n=3, cutoff=0.6)
        )
        for group in sorted(groups)
        if group not in known
    }


def unknown_in_words(unknown: Mapping[str, tuple[str, ...]]) -> str:
    """Which groups are new, and what may have been meant; one sentence without its end."""
    named = [f"{group} (did you mean {' or '.join(near)}?)" if near else group for group, near in unknown.items()]
    return f"No document or source had the group {', '.join(named)} before"


def refuse_unknown(groups: Iterable[str], known: frozenset[str]) -> None:
    """Raises CatalogError, naming the nearest known groups, where one of these was never given before."""
    if unknown := unknown_groups(groups, known):
        raise CatalogError(f"{unknown_in_words(unknown)}; write it as it is, or add --new-group if it is meant.")


def _change(session: Session, groups: Mapping[str, frozenset[str]]) -> int:
    present = session.scalars(select(DocumentTable.id).where(DocumentTable.id.in_(groups))).all()
    if not present:
        return 0
    given = dict(
        session.execute(
            select(RevisionTable.document_id, RevisionTable.last).where(RevisionTable.document_id.in_(present))
        ).all()
    )
    session.execute(delete(GroupTable).where(GroupTable.document_id.in_(present)))
    session.execute(delete(GroupChangeTable).where(GroupChangeTable.document_id.in_(present)))
    rows = [{"document_id": key, "group": group} for key in present for group in sorted(groups[key])]
    if rows:
        session.execute(insert(GroupTable), rows)
    session.execute(
        insert(GroupChangeTable),
        [{"document_id": key, "revision": given.get(key, 0), "due": True} for key in present],
    )
    return len(present)


def _groups(session: Session, ids: Iterable[str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {key: set() for key in ids}
    wanted = select(GroupTable.document_id, GroupTable.group).where(GroupTable.document_id.in_(found))
    for document, group in session.execute(wanted):
        found[document].add(group)
    return {document: frozenset(groups) for document, groups in found.items()}
