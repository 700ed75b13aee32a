"""People and the groups they are in. Whoever asks is looked up here anew with each request."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ragapp.access import names
from ragapp.catalog.service_rows import PersonRow, Role
from ragapp.catalog.service_tables import (
    CuratorTable,
    InviteTable,
    MembershipTable,
    NamedGroupTable,
    PersonTable,
    SessionTable,
    TokenTable,
)
from ragapp.catalog.sessions import Sessions
from ragapp.errors import CatalogError
from ragapp.names import is_internal, refuse_internal
from ragapp.types import EVERYONE


class People:
    """The people of one catalog."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def add(
        self,
        name: str,
        *,
        display: str = "",
        role: Role = "reader",
        password_hash: str = "",
        subject: str | None = None,
        groups: str | Iterable[str] = (),
    ) -> PersonRow:
        """Make an account. Raises CatalogError where the name, or the account elsewhere, has one already, and for a
        group that is a conversation's own."""
        groups = names(groups)
        refuse_internal(groups, "group")
        person = PersonTable(
            id=str(uuid.uuid4()), name=name, display=display or name, role=role, password=password_hash,
            subject=subject, active=True, created=datetime.now(UTC), signed_in=None,
        )  # fmt: skip
        try:
            with self._sessions.writing() as session:
                session.add(person)
                session.flush()
                _put_groups(session, person.id, groups, "local")
        except IntegrityError:
            raise CatalogError(f"There is an account named {name} already; choose another name.") from None
        return self.get(person.id)

    def get(self, person_id: str) -> PersonRow:
        """A person by id. Raises CatalogError where there is none."""
        with self._sessions.reading() as session:
            found = session.get(PersonTable, person_id)
            if found is None:
                raise CatalogError("There is no such person.")
            return _rows(session, [found])[0]

    def find(self, *, name: str | None = None, subject: str | None = None) -> PersonRow | None:
        """A person by sign-in name, or by the account elsewhere; None where there is none."""
        wanted = select(PersonTable)
        wanted = wanted.where(PersonTable.name == name) if name is not None else wanted
        wanted = wanted.where(PersonTable.subject == subject) if subject is not None else wanted
        with self._sessions.reading() as session:
            found = session.scalars(wanted.limit(1)).first() if name is not None or subject is not None else None
            return _rows(session, [found])[0] if found else None

    def list(self) -> tuple[PersonRow, ...]:
        """Everybody, by name."""
        with self._sessions.reading() as session:
            return tuple(_rows(session, session.scalars(select(PersonTable).order_by(PersonTable.name)).all()))

    def password_hash(self, person_id: str) -> str:
        """The argon2 hash of a person's password; empty where they have none."""
        with self._sessions.reading() as session:
            return session.scalar(select(PersonTable.password).where(PersonTable.id == person_id)) or ""

    def set_password(self, person_id: str, password_hash: str, *, end_tokens: bool = False) -> None:
        """A new password. In the same commit every browser is signed out and no older link sets another one; with
        `end_tokens` every API token of the person is revoked."""
        now = datetime.now(UTC)
        with self._sessions.writing() as session:
            session.execute(update(PersonTable).where(PersonTable.id == person_id).values(password=password_hash))
            session.execute(delete(SessionTable).where(SessionTable.person_id == person_id))
            session.execute(delete(InviteTable).where(InviteTable.person_id == person_id))
            if end_tokens:
                session.execute(
                    update(TokenTable)
                    .where(TokenTable.person_id == person_id, TokenTable.revoked.is_(None))
                    .values(revoked=now)
                )

    def set_display(self, person_id: str, display: str) -> None:
        self._update(person_id, display=display)

    def note_sign_in(self, person_id: str) -> None:
        self._update(person_id, signed_in=datetime.now(UTC))

    def set_role(self, person_id: str, role: Role, *, keep_one: bool = True) -> None:
        """Raises CatalogError where this would leave no admin, unless that is meant."""
        with self._sessions.writing() as session:
            if role != "admin" and keep_one:
                _keep_one_admin(session, person_id)
            session.execute(update(PersonTable).where(PersonTable.id == person_id).values(role=role))

    def set_active(self, person_id: str, active: bool) -> None:
        """Let somebody in or lock them out. Raises CatalogError where this would leave no admin."""
        with self._sessions.writing() as session:
            if not active:
                _keep_one_admin(session, person_id)
            session.execute(update(PersonTable).where(PersonTable.id == person_id).values(active=active))

    def remove(self, person_id: str) -> None:
        """Forget a person with conversations, answers and tokens. Raises CatalogError for the last admin."""
        with self._sessions.writing() as session:
            _keep_one_admin(session, person_id)
            session.execute(delete(PersonTable).where(PersonTable.id == person_id))

    def admins(self) -> int:
        """How many admins can sign in: the account of this machine, and one whose link is unused, can't."""
        with self._sessions.reading() as session:
            return _admins(session)

    # groups

    def set_groups(self, person_id: str, groups: str | Iterable[str], given_by: str = "local") -> None:
        """Put a person into these groups and no others of the same giver; holds from the next request on. Raises
        CatalogError for a group that is a conversation's own."""
        groups = names(groups)
        refuse_internal(groups, "group")
        with self._sessions.writing() as session:
            _put_groups(session, person_id, groups - {EVERYONE}, given_by)

    def curate(self, person_id: str, collections: str | Iterable[str]) -> None:
        """The collections that a person looks after. Raises CatalogError for what others attached to conversations."""
        collections = names(collections)
        refuse_internal(collections, "collection")
        with self._sessions.writing() as session:
            session.execute(delete(CuratorTable).where(CuratorTable.person_id == person_id))
            session.add_all(CuratorTable(person_id=person_id, collection=name) for name in sorted(collections))

    def groups(self) -> frozenset[str]:
        """The groups that an admin made, or that somebody is in."""
        with self._sessions.reading() as session:
            named = session.scalars(select(NamedGroupTable.name)).all()
            held = session.scalars(select(MembershipTable.group).distinct()).all()
        return frozenset((*named, *held, EVERYONE))

    def add_group(self, name: str) -> None:
        """Raises CatalogError where it is there already, and for a name that is a conversation's own."""
        refuse_internal([name], "group")
        try:
            with self._sessions.writing() as session:
                session.add(NamedGroupTable(name=name, created=datetime.now(UTC)))
        except IntegrityError:
            raise CatalogError(f"There is a group named {name} already.") from None

    def remove_group(self, name: str) -> None:
        """Take everybody out of a group and forget it; documents keep the name and are nobody's through it."""
        with self._sessions.writing() as session:
            session.execute(delete(MembershipTable).where(MembershipTable.group == name))
            session.execute(delete(NamedGroupTable).where(NamedGroupTable.name == name))

    def _update(self, person_id: str, **values: object) -> None:
        with self._sessions.writing() as session:
            session.execute(update(PersonTable).where(PersonTable.id == person_id).values(**values))


def _admins(session: Session, besides: str = "") -> int:
    comes_in = or_(PersonTable.password != "", PersonTable.subject.is_not(None))
    wanted = select(func.count()).where(
        PersonTable.role == "admin", PersonTable.active, comes_in, PersonTable.id != besides
    )
    return session.scalar(wanted) or 0


def _keep_one_admin(session: Session, person_id: str) -> None:
    if _admins(session) and not _admins(session, besides=person_id):
        raise CatalogError("This is the only admin; make somebody else an admin first.")


def _put_groups(session: Session, person_id: str, groups: frozenset[str], given_by: str) -> None:
    session.execute(
        delete(MembershipTable).where(MembershipTable.person_id == person_id, MembershipTable.given_by == given_by)
    )
    session.add_all(MembershipTable(person_id=person_id, group=group, given_by=given_by) for group in sorted(groups))


def _rows(session: Session, found: Iterable[PersonTable]) -> list[PersonRow]:
    people = list(found)
    groups: dict[str, set[str]] = {person.id: set() for person in people}
    curates: dict[str, set[str]] = {person.id: set() for person in people}
    members = select(MembershipTable.person_id, MembershipTable.group)
    curators = select(CuratorTable.person_id, CuratorTable.collection)
    if len(people) == 1:
        members = members.where(MembershipTable.person_id == people[0].id)
        curators = curators.where(CuratorTable.person_id == people[0].id)
    # a row that stands there all the same, however it came there, gives nothing: what people attach is theirs
    for person, group in session.execute(members):
        if not is_internal(group):
            groups.setdefault(person, set()).add(group)
    for person, collection in session.execute(curators):
        if not is_internal(collection):
            curates.setdefault(person, set()).add(collection)
    return [
        PersonRow(
            person.id, person.name, person.display, person.role, person.active,  # type: ignore[arg-type]
            frozenset(groups[person.id]), frozenset(curates[person.id]), person.created, person.signed_in,
            person.subject, bool(person.password),
        )
        for person in people
    ]  # fmt: skip
