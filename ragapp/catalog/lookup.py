"""Finding documents by what a person types: an id, a source, a folder, or a part of a name."""

from __future__ import annotations

from sqlalchemy import func, or_, select

from ragapp.catalog.mapping import to_rows
from ragapp.catalog.rows import DocumentRow
from ragapp.catalog.sessions import Sessions
from ragapp.catalog.tables import DocumentTable


class Lookup:
    """Documents of one catalog by name."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def named(self, *names: str) -> tuple[DocumentRow, ...]:
        """Documents with one of these ids or sources, in every collection."""
        return self._rows(or_(DocumentTable.id.in_(names), DocumentTable.source.in_(names)))

    def below(self, folder: str) -> tuple[DocumentRow, ...]:
        """Documents whose source lies in a folder, at any depth."""
        start = f"{folder.rstrip('/')}/"
        return self._rows(func.substr(DocumentTable.source, 1, len(start)) == start)

    def like(self, part: str, limit: int = 3) -> tuple[str, ...]:
        """Some sources that hold `part`, for a sentence about what may have been meant."""
        wanted = select(DocumentTable.source).where(DocumentTable.source.icontains(part, autoescape=True)).limit(limit)
        with self._sessions.reading() as session:
            return tuple(session.scalars(wanted))

    def _rows(self, condition: object) -> tuple[DocumentRow, ...]:
        wanted = select(DocumentTable).where(condition).order_by(DocumentTable.source)  # type: ignore[arg-type]
        with self._sessions.reading() as session:
            return tuple(to_rows(session, session.scalars(wanted).all()))
