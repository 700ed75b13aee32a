"""How people come in: by password, by a link that works once, or from the company's provider; and their session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response

from ragapp.answer.unseen import seen
from ragapp.catalog.service_rows import PersonRow, SessionRow
from ragapp.errors import CatalogError
from ragapp.serve.callers import COOKIE
from ragapp.serve.connections import counted_as
from ragapp.serve.house import LOCAL_NAME, House
from ragapp.serve.oidc import Identity
from ragapp.serve.passwords import words_of_service
from ragapp.serve.problems import Refused, forbidden
from ragapp.serve.signin import hashed, matches
from ragapp.serve.standing import as_told

_LONGEST_NAME = 190
"""Characters; room for a number behind it."""
_LOCKED = "This account is locked; ask an admin."


def by_password(house: House, address: str, name: str, password: str) -> PersonRow:
    """Whoever has this name and password. Raises Refused, alike for a wrong name and a wrong password."""
    with _one_try(house, address, name):
        person = house.catalog.people.find(name=name)
        kept = house.catalog.people.password_hash(person.id) if person else ""
        if not matches(kept, password) or person is None or not person.active:
            # a name that was typed may be somebody's password, and stays out of the audit
            house.note(person.id if person else "", "session.refuse")
            raise Refused(HTTPStatus.UNAUTHORIZED, "Name or password is wrong.")
        return person


def by_link(
    house: House,
    address: str,
    secret: str,
    password: str,
    name: str | None = None,
    display: str | None = None,
    *,
    end_tokens: bool = False,
) -> PersonRow:
    """Use a link: make an account, or set a password, which signs out and, with `end_tokens`, revokes as any change of
    one does. A fault that can be mended doesn't use it up."""
    people, credentials = house.catalog.people, house.catalog.credentials
    with _one_try(house, address):
        invite = credentials.invited(secret)
        if invite.person_id:
            person = people.get(invite.person_id)
            if not person.active:
                raise forbidden(_LOCKED)
            kept = hashed(password, _own_words(house, person.name, person.display))
            credentials.use_invite(secret)
            people.set_password(person.id, kept, end_tokens=end_tokens)
            house.note(person.id, "person.set_password", person.id, end_tokens=end_tokens)
            return person
        if name is None:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "A new account needs a name.")
        if name == LOCAL_NAME or people.find(name=name):
            raise Refused(HTTPStatus.CONFLICT, f"There is an account named {name} already; choose another name.")
        kept = hashed(password, _own_words(house, name, display or ""))
        credentials.use_invite(secret)
        person = people.add(name, display=display or "", role=invite.role, password_hash=kept, groups=invite.groups)
        house.note(person.id, "person.add", person.id, role=person.role, groups=sorted(person.groups))
        return person


def new_password(
    house: House, address: str, person: PersonRow, old: str, new: str, *, end_tokens: bool = False
) -> None:
    """Change a password; every browser of this person is signed out, and with `end_tokens` no token opens anything."""
    if not person.has_password:
        raise forbidden("This account has no password here: it signs in elsewhere.")
    with _one_try(house, address, person.name):
        if not matches(house.catalog.people.password_hash(person.id), old):
            raise Refused(HTTPStatus.UNAUTHORIZED, "The old password is wrong.")
    if matches(house.catalog.people.password_hash(person.id), new):
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "The new password is the old one; take another.")
    kept = hashed(new, _own_words(house, person.name, person.display))
    house.catalog.people.set_password(person.id, kept, end_tokens=end_tokens)
    house.note(person.id, "person.set_password", person.id, end_tokens=end_tokens)


def by_provider(house: House, who: Identity) -> PersonRow:
    """The account of whom the provider vouches for, made at the first sign-in; groups and role as the provider says."""
    person = house.catalog.people.find(subject=who.subject) or _first_time(house, who)
    if not person.active:
        raise forbidden(_LOCKED)
    now = as_told(house, person, who.claims)
    house.standing.begin(now, who.grant)
    return now


def open_session(request: Request, response: Response, house: House, person: PersonRow) -> SessionRow:
    """Sign a person in: a new cookie, whatever the browser had before."""
    if old := request.cookies.get(COOKIE):
        house.catalog.credentials.close_session(old)
    lasts = timedelta(hours=house.settings.serve.session_hours)
    cookie, session = house.catalog.credentials.open_session(person.id, lasts)
    house.catalog.people.note_sign_in(person.id)
    house.note(person.id, "session.open")
    set_cookie(request, response, house, COOKIE, cookie, lasts.total_seconds())
    return session


def close_session(request: Request, response: Response, house: House, person_id: str) -> None:
    """Sign this browser out."""
    if cookie := request.cookies.get(COOKIE):
        house.catalog.credentials.close_session(cookie)
        house.note(person_id, "session.close")
    response.delete_cookie(COOKIE, path="/")


def set_cookie(
    request: Request, response: Response, house: House, name: str, value: str, seconds: float, path: str = "/"
) -> None:
    """A cookie that scripts and other sites' pages don't get."""
    response.set_cookie(
        name,
        value,
        max_age=int(seconds),
        path=path,
        httponly=True,
        secure=is_secure(request, house),
        samesite="lax",
    )


def is_secure(request: Request, house: House) -> bool:
    """Whether the browser speaks https; only on loopback may it be without."""
    if house.settings.serve.public_url:
        return house.settings.serve.public_url.startswith("https://")
    return request.url.scheme == "https" or not house.settings.serve.on_loopback


def base_url(request: Request, house: House) -> str:
    """What browsers call the service, without a slash at its end."""
    return (house.settings.serve.public_url or str(request.base_url)).rstrip("/")


def address_of(request: Request) -> str:
    """Where a request comes from, as tries are counted: whoever has one IPv6 address has a network of them."""
    return counted_as(request.client.host if request.client else "")


@contextmanager
def _one_try(house: House, address: str, name: str | None = None) -> Iterator[None]:
    """Counted as failed before its outcome is known, so that many at once are no way around the limit."""
    keys = [f"address {address}"] + ([f"name {name}"] if name is not None else [])
    house.tries.begin(*keys)
    try:
        yield
    except Refused as refused:
        if refused.status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            house.tries.take_back(*keys)
        raise
    house.tries.take_back(keys[0])
    house.tries.passed(*keys[1:])


def _own_words(house: House, *names: str) -> tuple[str, ...]:
    """Words that whoever knows the person and the company tries first."""
    return (*names, *words_of_service(house.settings))


def _first_time(house: House, who: Identity) -> PersonRow:
    people, claims = house.catalog.people, who.claims
    wanted = _name(claims.get(house.settings.serve.oidc.name_claim) or claims.get("email") or claims["sub"])
    display = _name(claims.get("name") or wanted)
    for number in range(1, 1000):
        name = wanted if number == 1 else f"{wanted}-{number}"
        if name == LOCAL_NAME or people.find(name=name):
            continue
        try:
            person = people.add(name, display=display, subject=who.subject)
        except CatalogError:
            # somebody took the name in this moment, or the same person signed in twice at once
            if found := people.find(subject=who.subject):
                return found
            continue
        house.note(person.id, "person.add", person.id, role=person.role, by="provider")
        return person
    raise Refused(HTTPStatus.CONFLICT, f"Too many accounts are named {wanted}; ask an admin.")


def _name(given: Any) -> str:
    printable = seen("".join(c if c.isprintable() else " " for c in str(given)))
    return " ".join(printable.split())[:_LONGEST_NAME] or "person"
