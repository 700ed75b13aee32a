"""Documents page by page, as lists show them, and what each of their revisions was made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, not_, or_, select, true, tuple_
from sqlalchemy.orm import Session

from ragapp.catalog.mapping import to_rows, visible_to
from ragapp.catalog.rows import DocumentRow, DocumentState
from ragapp.catalog.sessions import Sessions
from ragapp.catalog.tables import DocumentRevisionTable, DocumentTable, EarlierBytesTable
from ragapp.types import Principal

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which documents a list is to hold."""

    principal: Principal
    """Whose list it is: live documents that it may see."""
    looked_after: frozenset[str] | None = field(default_factory=frozenset)
    """Collections of which everything is shown, failed files too; None for all."""
    hidden_prefix: str = ""
    """Collections whose names begin so are in nobody's list."""
    collection: str = ""
    origin: str = ""
    state: DocumentState | None = None
    like: str = ""
    """Part of source or title, whatever its case."""


@dataclass(frozen=True, slots=True)
class Revision:
    """What one revision of a document was made of."""

    sha256: str
    parser_version: str
    file_type: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is kept of a document's revisions before the live one."""

    revisions: int
    originals: frozenset[str]
    """SHA-256 of their bytes, where these are others than now."""


def place_of(row: DocumentRow) -> tuple[str, str]:
    """Where a document stands in the order of lists. It stays when the document goes."""
    return row.collection, row.source


class Listing:
    """The documents of one catalog in pages."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def page(self, wanted: Wanted, limit: int, behind: tuple[str, ...] = ()) -> tuple[tuple[DocumentRow, ...], int]:
        """Documents in their order behind a place, from the beginning without one, and how many there are in all."""
        conditions = _conditions(wanted)
        listed = select(DocumentTable).where(*conditions).order_by(DocumentTable.collection, DocumentTable.source)
        with self._sessions.reading() as session:
            if behind:
                listed = listed.where(tuple_(DocumentTable.collection, DocumentTable.source) > tuple_(*behind))
            rows = to_rows(session, session.scalars(listed.limit(limit)).all())
            total = session.scalar(select(func.count()).select_from(DocumentTable).where(*conditions)) or 0
            return tuple(rows), total

    def revision(self, document_id: str, revision: int) -> Revision | None:
        """What a revision was made of that is or was live; None where that isn't known."""
        with self._sessions.reading() as session:
            found = session.get(DocumentRevisionTable, (document_id, revision))
            return Revision(found.sha256, found.parser_version, found.file_type) if found else None

    def earlier(self, live: Mapping[str, int]) -> dict[str, Earlier]:
        """What is kept of revisions before the live one of these documents, given with their live revision; documents
        of which nothing is kept are left out."""
        revisions: Counter[str] = Counter()
        bytes_of: dict[str, set[str]] = {}
        with self._sessions.reading() as session:
            for start in range(0, len(ids := list(live)), _PAGE):
                page = ids[start : start + _PAGE]
                wanted = select(DocumentRevisionTable.document_id, DocumentRevisionTable.revision)
                for document, revision in session.execute(wanted.where(DocumentRevisionTable.document_id.in_(page))):
                    revisions[document] += revision != live[document]
                kept = select(EarlierBytesTable.document_id, EarlierBytesTable.sha256)
                for document, sha256 in session.execute(kept.where(EarlierBytesTable.document_id.in_(page))):
                    bytes_of.setdefault(document, set()).add(sha256)
        return {
            each: Earlier(revisions[each], frozenset(bytes_of.get(each, ())))
            for each in live
            if revisions[each] or each in bytes_of
        }


def note_revision(session: Session, row: DocumentRow) -> None:
    """A revision became live."""
    session.flush()
    session.merge(
        DocumentRevisionTable(
            document_id=row.id,
            revision=row.revision,
            sha256=row.sha256,
            parser_version=row.parser_version,
            file_type=row.file_type,
        )
    )


def _conditions(wanted: Wanted) -> Sequence[ColumnElement[bool]]:
    seen = and_(DocumentTable.state == "live", DocumentTable.id.in_(visible_to(wanted.principal)))
    if wanted.looked_after is None:
        cared_for: Any = true()
    else:
        cared_for = DocumentTable.collection.in_(wanted.looked_after) if wanted.looked_after else false()
    conditions: list[ColumnElement[bool]] = [or_(seen, cared_for)]
    if wanted.hidden_prefix:
        conditions.append(not_(DocumentTable.collection.startswith(wanted.hidden_prefix, autoescape=True)))
    if wanted.collection:
        conditions.append(DocumentTable.collection == wanted.collection)
    if wanted.origin:
        conditions.append(DocumentTable.origin == wanted.origin)
    if wanted.state:
        conditions.append(DocumentTable.state == wanted.state)
    if wanted.like:
        conditions.append(
            or_(
                DocumentTable.source.icontains(wanted.like, autoescape=True),
                DocumentTable.title.icontains(wanted.like, autoescape=True),
            )
        )
    return conditions
