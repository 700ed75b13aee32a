"""Documents page by page, as lists show them, and what each of their revisions was made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, not_, or_, select, true, tuple_
from sqlalchemy.orm import Session

from ragapp.catalog.mapping import to_rows, visible_to
from ragapp.catalog.rows import DocumentRow, DocumentState
from ragapp.catalog.sessions import Sessions
from ragapp.catalog.tables import DocumentRevisionTable, DocumentTable
from ragapp.types import Principal


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


class Listing:
    """The documents of one catalog in pages."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def page(self, wanted: Wanted, limit: int, after: str = "") -> tuple[tuple[DocumentRow, ...], int]:
        """Documents by collection and source behind the document with the id `after`, and how many there are in all."""
        conditions = _conditions(wanted)
        listed = select(DocumentTable).where(*conditions).order_by(DocumentTable.collection, DocumentTable.source)
        with self._sessions.reading() as session:
            if after and (last := session.get(DocumentTable, after)):
                listed = listed.where(
                    tuple_(DocumentTable.collection, DocumentTable.source) > tuple_(last.collection, last.source)
                )
            rows = to_rows(session, session.scalars(listed.limit(limit)).all())
            total = session.scalar(select(func.count()).select_from(DocumentTable).where(*conditions)) or 0
            return tuple(rows), total

    def revision(self, document_id: str, revision: int) -> Revision | None:
        """What a revision was made of that is or was live; None where that isn't known."""
        with self._sessions.reading() as session:
            found = session.get(DocumentRevisionTable, (document_id, revision))
            return Revision(found.sha256, found.parser_version, found.file_type) if found else None


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
