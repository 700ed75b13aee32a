"""What opens the service's doors: API tokens, sessions of browsers, and links that work once. Only hashes are kept."""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, update

from ragapp.catalog.service_rows import InviteRow, Role, SessionRow, TokenRow, TokenScope
from ragapp.catalog.service_tables import InviteTable, SessionTable, TokenTable
from ragapp.catalog.sessions import Sessions
from ragapp.errors import CatalogError

TOKEN_PREFIX = "rag_"  # noqa: S105 - so that a token is recognised where it leaked, and nothing more
_DEAD_LINK = "This link was used already or is too old; ask for a new one."
_USED_EVERY = timedelta(minutes=1)
"""How exact a token's "last used" is, so that not every request writes."""


class Credentials:
    """Tokens, sessions and invitations of one catalog. A secret is returned once, when it is made."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def add_token(
        self, person_id: str, name: str, scopes: Iterable[TokenScope], expires: datetime | None
    ) -> tuple[str, TokenRow]:
        """A new token's secret, and what is kept of it."""
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        token = TokenTable(
            id=str(uuid.uuid4()), person_id=person_id, name=name, hash=_hash(secret),
            scopes=json.dumps(sorted(scopes)), created=datetime.now(UTC), expires=expires, revoked=None, used=None,
        )  # fmt: skip
        with self._sessions.writing() as session:
            session.add(token)
        return secret, _token(token)

    def token(self, secret: str) -> TokenRow | None:
        """The token with this secret if it is good at this moment."""
        now = datetime.now(UTC)
        with self._sessions.reading() as session:
            found = session.scalars(select(TokenTable).where(TokenTable.hash == _hash(secret))).first()
        if found is None or found.revoked or (found.expires and found.expires <= now):
            return None
        if found.used is None or now - found.used > _USED_EVERY:
            with self._sessions.writing() as session:
                session.execute(update(TokenTable).where(TokenTable.id == found.id).values(used=now))
        return _token(found)

    def tokens(self, person_id: str | None = None) -> tuple[TokenRow, ...]:
        """A person's tokens, or all of them, newest first; revoked and expired ones too."""
        wanted = select(TokenTable).order_by(TokenTable.created.desc())
        if person_id is not None:
            wanted = wanted.where(TokenTable.person_id == person_id)
        with self._sessions.reading() as session:
            return tuple(_token(found) for found in session.scalars(wanted))

    def revoke(self, token_id: str) -> None:
        """From now on the token opens nothing."""
        with self._sessions.writing() as session:
            now = datetime.now(UTC)
            session.execute(
                update(TokenTable).where(TokenTable.id == token_id, TokenTable.revoked.is_(None)).values(revoked=now)
            )

    def revoke_tokens(self, person_id: str) -> int:
        """From now on no token of this person opens anything. Returns how many did."""
        with self._sessions.writing() as session:
            revoked = session.scalars(
                update(TokenTable)
                .where(TokenTable.person_id == person_id, TokenTable.revoked.is_(None))
                .values(revoked=datetime.now(UTC))
                .returning(TokenTable.id)
            )
            return len(revoked.all())

    def open_session(self, person_id: str, lasts: timedelta) -> tuple[str, SessionRow]:
        """A new session's cookie, and what is kept of it; sessions whose time is over go."""
        cookie, now = secrets.token_urlsafe(32), datetime.now(UTC)
        row = SessionRow(person_id, secrets.token_urlsafe(24), now + lasts)
        with self._sessions.writing() as session:
            session.execute(delete(SessionTable).where(SessionTable.expires <= now))
            session.add(
                SessionTable(hash=_hash(cookie), person_id=person_id, csrf=row.csrf, created=now, expires=row.expires)
            )
        return cookie, row

    def session(self, cookie: str) -> SessionRow | None:
        """The session of this cookie if its time is not over."""
        with self._sessions.reading() as session:
            found = session.get(SessionTable, _hash(cookie))
        if found is None or found.expires <= datetime.now(UTC):
            return None
        return SessionRow(found.person_id, found.csrf, found.expires)

    def close_session(self, cookie: str) -> None:
        with self._sessions.writing() as session:
            session.execute(delete(SessionTable).where(SessionTable.hash == _hash(cookie)))

    def close_sessions(self, person_id: str) -> None:
        """Sign a person out everywhere."""
        with self._sessions.writing() as session:
            session.execute(delete(SessionTable).where(SessionTable.person_id == person_id))

    def invite(
        self, lasts: timedelta, *, role: Role = "reader", groups: Iterable[str] = (), person_id: str | None = None
    ) -> str:
        """The secret of a link that works once: for a new account, or for a person's new password."""
        secret, now = secrets.token_urlsafe(32), datetime.now(UTC)
        with self._sessions.writing() as session:
            session.execute(delete(InviteTable).where(InviteTable.expires <= now))
            if person_id is not None:
                # a link that was lost on the way is void once there is another
                session.execute(delete(InviteTable).where(InviteTable.person_id == person_id))
            if role == "admin" and person_id is None:
                # one link to the first account: an older one that was printed is void
                session.execute(delete(InviteTable).where(InviteTable.role == "admin", InviteTable.person_id.is_(None)))
            session.add(
                InviteTable(
                    hash=_hash(secret), person_id=person_id, role=role, groups=json.dumps(sorted(groups)),
                    created=now, expires=now + lasts,
                )
            )  # fmt: skip
        return secret

    def invited(self, secret: str) -> InviteRow:
        """What a link is good for, without using it up. Raises CatalogError where that is nothing."""
        with self._sessions.reading() as session:
            found = session.get(InviteTable, _hash(secret))
            if found is None or found.expires <= datetime.now(UTC):
                raise CatalogError(_DEAD_LINK)
            return _invite(found)

    def use_invite(self, secret: str) -> InviteRow:
        """What a link is good for; afterwards it is good for nothing. Raises CatalogError where that is so now."""
        with self._sessions.writing() as session:
            found = session.execute(
                delete(InviteTable).where(InviteTable.hash == _hash(secret)).returning(InviteTable)
            ).scalar()
            if found is None or found.expires <= datetime.now(UTC):
                raise CatalogError(_DEAD_LINK)
            return _invite(found)


def _invite(found: InviteTable) -> InviteRow:
    return InviteRow(found.person_id, found.role, frozenset(json.loads(found.groups)), found.expires)  # type: ignore[arg-type]


def _hash(secret: str) -> str:
    # 256 random bits can't be guessed, so that a plain hash is enough
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _token(found: TokenTable) -> TokenRow:
    return TokenRow(
        found.id, found.person_id, found.name, frozenset(json.loads(found.scopes)),
        found.created, found.expires, found.revoked, found.used,
    )  # fmt: skip
