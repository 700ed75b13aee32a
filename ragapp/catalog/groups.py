"""Who may see what, as a run was asked and as it is changed by hand: in one commit, with a mark for the index, which
follows."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Protocol

from sqlalchemy import JSON, delete, func, insert, select, type_coerce, union, update
from sqlalchemy.orm import Session

from ragapp.access import names, widens
from ragapp.catalog.chosen import chosen_groups
from ragapp.catalog.mapping import to_origin_row, to_origin_table, visible_to
from ragapp.catalog.rows import DocumentRow, OriginRow
from ragapp.catalog.sessions import Sessions
from ragapp.catalog.tables import (
    DocumentTable,
    GroupChangeTable,
    GroupTable,
    JobTable,
    OriginTable,
    RemovalTable,
    RevisionTable,
)
from ragapp.errors import CatalogError
from ragapp.types import EVERYONE, Principal

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Grant:
    """Who may see a file and all that lies in it, as a run was asked. What comes of it is decided by each commit."""

    document: str
    """The file's own document, whatever lies in it."""
    new: frozenset[str] | None
    """For a document that is not known; None, where nothing was said, for whom the collection's rule names then."""
    groups: frozenset[str] | None = None
    """For a known one, as far as nobody chose by hand who may see it; None leaves it as it is."""
    job: int | None = 0
    """The job that was asked: what was changed after that stays. None where it is asked for at this moment."""
    origin: str = ""
    by_source: Callable[[OriginRow], frozenset[str]] | None = None
    """Of a file that the synced source `origin` brings: who may see it by the source's groups and rules."""
    collection: str = "default"
    replaces: str = ""
    """The document that the file was before it was moved: what was chosen for it by hand moves along."""

    @property
    def said(self) -> frozenset[str] | None:
        """Whom somebody named for this file with the run itself; None where nobody did, or a source decides."""
        return None if self.by_source else self.groups


class Changing(Protocol):
    """Gives documents their groups, and a synced source its groups and rules; returns how many documents there are."""

    def __call__(
        self, groups: Mapping[str, frozenset[str]], origin: OriginRow | None = None, *, by_hand: bool = True
    ) -> int: ...


class GroupChanges:
    """Changes of groups in one catalog."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def change(
        self, groups: Mapping[str, frozenset[str]], origin: OriginRow | None = None, *, by_hand: bool = True
    ) -> int:
        """Give documents their groups, and a synced source its groups and rules, in one commit; returns how many.

        It holds for every search from then on. Chosen `by_hand` for each of them, no run widens them after it; else
        their source decides. Documents that are not there are passed over.
        """
        with self.alone() as change:
            return change(groups, origin, by_hand=by_hand)

    @contextmanager
    def alone(self) -> Iterator[Changing]:
        """Nobody else commits while the block looks who sees what; what it changes is one commit, at its end."""
        with self._sessions.alone() as session:
            job = _newest_job(session)

            def change(
                groups: Mapping[str, frozenset[str]], origin: OriginRow | None = None, *, by_hand: bool = True
            ) -> int:
                if origin is not None:
                    session.merge(to_origin_table(origin, origin.created or datetime.now(UTC)))
                return _change(session, groups, job, by_hand=by_hand)

            yield change

    def by_hand(self, ids: Sequence[str]) -> frozenset[str]:
        """Of these documents those whose groups were chosen by hand."""
        with self._sessions.reading() as session:
            return frozenset(
                key
                for page in _pages(ids)
                for key in session.scalars(
                    select(GroupChangeTable.document_id).where(
                        GroupChangeTable.document_id.in_(page), GroupChangeTable.by_hand
                    )
                )
            )

    def granted(self, grant: Grant) -> frozenset[str]:
        """Who may see a file, if it were committed now. Raises NobodyChosen where that would be refused."""
        with self._sessions.reading() as session:
            return groups_granted(session, grant)

    def bring_in_line(self, ids: Sequence[str], grant: Grant) -> None:
        """Show a file that is in, and what lies in it, to whoever may see it now."""
        with self._sessions.writing() as session:
            _bring_in_line(session, ids, groups_granted(session, grant), grant.job or 0)

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

    def settle(
        self, followed: Mapping[str, frozenset[str]], revisions: Mapping[str, int] | None = None
    ) -> dict[str, frozenset[str]]:
        """The index carries these groups now, durably, on all chunks of the `revisions` that were live before.

        Documents that were changed meanwhile, or whose live revision is another one by now, stay due; returns them with
        the groups they should have.
        """
        left: dict[str, frozenset[str]] = {}
        with self._sessions.writing() as session:
            for page in _pages(followed):
                groups, live = _groups(session, page), _revisions(session, page)
                again = {
                    key: groups[key]
                    for key in page
                    if groups[key] != followed[key] or (revisions is not None and live.get(key) != revisions.get(key))
                }
                of_page = update(GroupChangeTable).where(GroupChangeTable.document_id.in_(page))
                session.execute(of_page.where(GroupChangeTable.document_id.not_in(again)).values(due=False))
                # whoever changed them again may have settled them before the index got these older groups
                session.execute(of_page.where(GroupChangeTable.document_id.in_(again)).values(due=True))
                left |= again
        return left

    def hidden_ahead(self, principal: Principal) -> frozenset[str]:
        """Documents that a principal may not see, or not any more, and whose chunks the index may still bring: what was
        taken from their groups, or away, and has yet to be followed."""
        seen = visible_to(principal)
        changed = select(GroupChangeTable.document_id).where(
            GroupChangeTable.due, GroupChangeTable.document_id.not_in(seen)
        )
        removed = select(RemovalTable.document_id).where(RemovalTable.document_id.not_in(seen))
        with self._sessions.reading() as session:
            return frozenset(session.scalars(union(changed, removed)))

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


def groups_granted(session: Session, grant: Grant) -> frozenset[str]:
    """Who may see a file now. What was chosen by hand for its document stands above all that a run or a source says, as
    long as that would show it to anybody else. Else it is whom the source's groups and rules name, also above what is
    said where the file comes by another door, or whom was asked for last; and of a new one where nothing was said, whom
    the collection's rule names. Raises NobodyChosen."""
    source = session.get(OriginTable, grant.origin) if grant.origin and grant.by_source else None
    asked = grant.by_source(to_origin_row(source)) if source is not None and grant.by_source else grant.groups
    for document in filter(None, (grant.replaces, grant.document)):
        change = session.get(GroupChangeTable, document)
        if change is not None and change.by_hand and _is_given(session, document):
            own = _groups(session, [document])[document]
            return own if asked is None or _later(change, grant) or widens(asked, own) else asked
    if source is not None and asked is not None:
        return asked
    # a file that failed before it was ever in has no groups until somebody gives it some
    if not _is_given(session, grant.document):
        return chosen_groups(session, grant.collection, grant.new)
    own = _groups(session, [grant.document])[grant.document]
    change = session.get(GroupChangeTable, grant.document)
    if asked is None or _later(change, grant):
        return own
    # by another door than its source, which decides about it
    return own if _is_followed(session, grant.document) and widens(asked, own) else asked


def _is_followed(session: Session, document: str) -> bool:
    """Whether a source that is there brings a document."""
    known = session.get(DocumentTable, document)
    return known is not None and bool(known.origin) and session.get(OriginTable, known.origin) is not None


def _is_given(session: Session, document: str) -> bool:
    """Whether it is settled who may see a document, be it nobody: it is in, or groups were given to it before."""
    known = session.get(DocumentTable, document)
    return known is not None and (known.state == "live" or bool(_groups(session, [document])[document]))


def _later(change: GroupChangeTable | None, grant: Grant) -> bool:
    """Whether a document's groups were changed after the run was asked for."""
    return change is not None and grant.job is not None and change.job >= grant.job


def groups_to_keep(session: Session, row: DocumentRow) -> frozenset[str]:
    """The groups that a new revision without a grant goes live with: its own, unless they were changed by hand after it
    was begun, or would show it to more than were chosen by hand."""
    change = session.get(GroupChangeTable, row.id)
    if change is None:
        return row.groups
    own = _groups(session, [row.id])[row.id]
    if row.revision > change.revision and not (change.by_hand and widens(row.groups, own)):
        return row.groups
    return own


def move_choice(session: Session, old: str, new: str) -> None:
    """A document that was moved has its groups by hand where the old one had, which goes with its mark after this."""
    change = session.get(GroupChangeTable, old)
    if change is not None and change.by_hand:
        keep_choice(session, new, change.job)


def keep_choice(session: Session, document: str, job: int = 0) -> None:
    """The groups of a document count as chosen by hand from now on."""
    change = session.get(GroupChangeTable, document)
    if change is None:
        session.add(GroupChangeTable(document_id=document, revision=0, due=False, job=job, by_hand=True))
    else:
        change.by_hand, change.job = True, max(job, change.job)


def note_behind(session: Session, document_id: str) -> None:
    """A document's chunks were written with other groups than it has now: the index is to follow."""
    change = session.get(GroupChangeTable, document_id)
    if change is None:
        session.add(GroupChangeTable(document_id=document_id, revision=0, due=True))
    else:
        change.due = True


def show_what_lies_in(session: Session, row: DocumentRow, job: int) -> None:
    """Whoever may see a container may see what lies in it, at any depth."""
    inside: list[str] = []
    level = [row.id]
    while level:
        level = [
            key
            for page in _pages(level)
            for key in session.scalars(select(DocumentTable.id).where(DocumentTable.container.in_(page)))
        ]
        inside += level
    _bring_in_line(session, inside, row.groups, job)


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


def _bring_in_line(session: Session, ids: Sequence[str], groups: frozenset[str], job: int) -> None:
    for page in _pages(ids):
        live = session.scalars(
            select(DocumentTable.id).where(DocumentTable.id.in_(page), DocumentTable.state == "live")
        ).all()
        others = [key for key, own in _groups(session, live).items() if own != groups]
        _change(session, dict.fromkeys(others, groups), job)


def _change(session: Session, groups: Mapping[str, frozenset[str]], job: int, *, by_hand: bool | None = None) -> int:
    """Give documents their groups, as the job or somebody after it says; returns how many there are. `by_hand`: whether
    they were chosen for these documents by hand; None leaves it as it was."""
    return sum(
        _change_page(session, {key: names(groups[key]) for key in page}, job, by_hand) for page in _pages(groups)
    )


def _change_page(session: Session, groups: Mapping[str, frozenset[str]], job: int, by_hand: bool | None) -> int:
    present = session.scalars(select(DocumentTable.id).where(DocumentTable.id.in_(groups))).all()
    if not present:
        return 0
    given = dict(
        session.execute(
            select(RevisionTable.document_id, RevisionTable.last).where(RevisionTable.document_id.in_(present))
        ).all()
    )
    of_these = GroupChangeTable.document_id.in_(present)
    before = set(session.scalars(select(GroupChangeTable.document_id).where(of_these, GroupChangeTable.by_hand)))
    session.execute(delete(GroupTable).where(GroupTable.document_id.in_(present)))
    session.execute(delete(GroupChangeTable).where(of_these))
    rows = [{"document_id": key, "group": group} for key in present for group in sorted(groups[key])]
    if rows:
        session.execute(insert(GroupTable), rows)
    session.execute(
        insert(GroupChangeTable),
        [
            {
                "document_id": key,
                "revision": given.get(key, 0),
                "due": True,
                "job": job,
                "by_hand": key in before if by_hand is None else by_hand,
            }
            for key in present
        ],
    )
    return len(present)


def _groups(session: Session, ids: Iterable[str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {key: set() for key in ids}
    wanted = select(GroupTable.document_id, GroupTable.group).where(GroupTable.document_id.in_(found))
    for document, group in session.execute(wanted):
        found[document].add(group)
    return {document: frozenset(groups) for document, groups in found.items()}


def _pages(keys: Iterable[str]) -> Iterator[list[str]]:
    left = iter(keys)
    while page := list(islice(left, _PAGE)):
        yield page


def _revisions(session: Session, ids: Iterable[str]) -> dict[str, int]:
    wanted = select(DocumentTable.id, DocumentTable.revision).where(DocumentTable.id.in_(list(ids)))
    return dict(session.execute(wanted).tuples().all())


def _newest_job(session: Session) -> int:
    """The job that was asked for last. Looks ahead are none: they are discarded, and their numbers given out again."""
    looks_ahead = type_coerce(JobTable.request, JSON)["dry_run"].as_boolean()
    wanted = select(JobTable.id).where(looks_ahead.is_not(True)).order_by(JobTable.id.desc()).limit(1)
    return session.scalar(wanted) or 0
