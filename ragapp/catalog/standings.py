"""What the company's sign-in provider last said of people: when, and whether they may be in at all."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, or_, select, update

from ragapp.catalog.service_rows import StandingRow
from ragapp.catalog.service_tables import PersonTable, SessionTable, StandingTable, TokenTable
from ragapp.catalog.sessions import Sessions


class Standings:
    """The standings of one catalog. A grant is kept sealed; what doesn't rest on the newest one changes nothing, since
    a person may sign in anew while an older grant is being asked with."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def begin(self, person_id: str, sealed: str, now: datetime) -> None:
        """A person signed in: the provider vouches for them at this moment."""
        with self._sessions.writing() as session:
            session.merge(StandingTable(person_id=person_id, renewed=now, ended=None, sealed=sealed))

    def get(self, person_id: str) -> StandingRow | None:
        """A person's standing; None for whoever never signed in at the provider since it is kept."""
        with self._sessions.reading() as session:
            found = session.get(StandingTable, person_id)
            return StandingRow(found.person_id, found.renewed, found.ended, found.sealed) if found else None

    def keep(self, person_id: str, before: str, sealed: str) -> bool:
        """A grant that the provider gave in place of another one. Returns whether the other was the newest still."""
        with self._sessions.writing() as session:
            return bool(session.scalars(_of(person_id, before).values(sealed=sealed)).all())

    def renew(self, person_id: str, sealed: str, now: datetime) -> bool:
        """The provider vouched for a person anew. Returns whether the grant was the newest."""
        with self._sessions.writing() as session:
            return bool(session.scalars(_of(person_id, sealed).values(renewed=now)).all())

    def end(self, person_id: str, sealed: str, now: datetime) -> bool:
        """The provider vouches for a person no more: browsers are signed out in the same commit, and tokens open
        nothing until the next sign-in. Returns whether the grant was the newest."""
        with self._sessions.writing() as session:
            ended = session.scalars(_of(person_id, sealed).values(ended=now, sealed="")).all()
            if ended:
                session.execute(delete(SessionTable).where(SessionTable.person_id == person_id))
            return bool(ended)

    def due(self, before: datetime, now: datetime) -> tuple[StandingRow, ...]:
        """Those last vouched for before this moment who could come in now, by a browser or a token; longest ago
        first."""
        browsers = select(SessionTable.person_id).where(SessionTable.expires > now)
        tokens = select(TokenTable.person_id).where(
            TokenTable.revoked.is_(None), or_(TokenTable.expires.is_(None), TokenTable.expires > now)
        )
        wanted = (
            select(StandingTable)
            .join(PersonTable, PersonTable.id == StandingTable.person_id)
            .where(PersonTable.active, StandingTable.ended.is_(None), StandingTable.renewed <= before)
            .where(or_(PersonTable.id.in_(browsers), PersonTable.id.in_(tokens)))
            .order_by(StandingTable.renewed)
        )
        with self._sessions.reading() as session:
            return tuple(
                StandingRow(found.person_id, found.renewed, found.ended, found.sealed)
                for found in session.scalars(wanted)
            )


def _of(person_id: str, sealed: str):  # type: ignore[no-untyped-def]
    return (
        update(StandingTable)
        .where(StandingTable.person_id == person_id, StandingTable.sealed == sealed, StandingTable.ended.is_(None))
        .returning(StandingTable.person_id)
    )
