"""The sources that are synced: their names, addresses and rules."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import delete, select

from ragapp.catalog.mapping import to_origin_row, to_origin_table
from ragapp.catalog.rows import OriginRow
from ragapp.catalog.sessions import Sessions
from ragapp.catalog.tables import OriginTable
from ragapp.errors import CatalogError
from ragapp.names import refuse_internal


class Origins:
    """The synced sources of one catalog."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def add(self, row: OriginRow) -> OriginRow:
        """Keep a source. Raises CatalogError where the name is taken, and for names that are a conversation's own."""
        _refuse_internal(row)
        with self._sessions.writing() as session:
            if session.get(OriginTable, row.name) is not None:
                raise CatalogError(
                    f"There is a source named {row.name} already; choose another name, or take it away with "
                    f"`ragapp sync remove {row.name}`."
                )
            table = to_origin_table(row, datetime.now(UTC))
            session.add(table)
            return to_origin_row(table)

    def update(self, row: OriginRow) -> None:
        """Keep what was changed of a known source. Raises CatalogError as `add` does."""
        _refuse_internal(row)
        with self._sessions.writing() as session:
            session.merge(to_origin_table(row, row.created or datetime.now(UTC)))

    def get(self, name: str) -> OriginRow:
        """The source of this name. Raises CatalogError, naming those there are."""
        with self._sessions.reading() as session:
            found = session.get(OriginTable, name)
        if found is None:
            names = ", ".join(row.name for row in self.list())
            known = f"known are {names}" if names else "none is there yet; `ragapp sync add NAME URL` adds one"
            raise CatalogError(f"There is no source named {name}; {known}.")
        return to_origin_row(found)

    def list(self) -> tuple[OriginRow, ...]:
        """All synced sources by name."""
        with self._sessions.reading() as session:
            return tuple(
                to_origin_row(found) for found in session.scalars(select(OriginTable).order_by(OriginTable.name))
            )

    def remove(self, name: str) -> None:
        """Forget a source; its documents are not touched."""
        with self._sessions.writing() as session:
            session.execute(delete(OriginTable).where(OriginTable.name == name))


def _refuse_internal(row: OriginRow) -> None:
    refuse_internal([row.collection], "collection")
    refuse_internal([*row.groups, *(group for _, groups in row.rules for group in groups)], "group")
