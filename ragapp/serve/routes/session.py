"""Signing in and out, and who one is."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, SecretStr

from ragapp.catalog.service_rows import PersonRow, Role
from ragapp.serve.callers import COOKIE, Asker, Caller, public
from ragapp.serve.house import House, house_of
from ragapp.serve.problems import Refused, forbidden
from ragapp.serve.shapes import Name, Wire
from ragapp.serve.signin import SHORTEST_PASSWORD, hashed, matches

router = APIRouter(prefix="/v1/session", tags=["session"])
Password = Annotated[SecretStr, Field(max_length=1000)]


class SignIn(Wire):
    name: Name = Field(examples=["ada"])
    password: Password


class InviteUse(Wire):
    """What an invitation's link is used with."""

    secret: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="The last part of the link.")
    name: Name | None = Field(None, description="The new account's name; not for a new password.")
    display: Name | None = None
    password: Password = Field(description=f"At least {SHORTEST_PASSWORD} characters.")


class PasswordChange(Wire):
    old: Password
    new: Password


class Me(BaseModel):
    """Whoever asks, as the service knows them at this moment."""

    id: str
    name: str
    display: str
    role: Role
    groups: list[str]
    curates: list[str]
    csrf: str = Field(description="To be sent back as X-CSRF-Token with whatever changes something.")
    single_user: bool


@router.post("", operation_id="sign_in")
def sign_in(request: Request, response: Response, given: SignIn, _: None = public) -> Me:
    """Sign in with name and password; sets a cookie."""
    house = house_of(request)
    keys = _keys(request, given.name)
    house.tries.check(*keys)
    person = house.catalog.people.find(name=given.name)
    kept = house.catalog.people.password_hash(person.id) if person else ""
    if not matches(kept, given.password.get_secret_value()) or person is None or not person.active:
        house.tries.failed(*keys)
        house.note(person.id if person else "", "session.refuse", given.name if person else "")
        raise Refused(HTTPStatus.UNAUTHORIZED, "Name or password is wrong.")
    house.tries.passed(keys[0])
    return open_session(request, response, house, person)


@router.post("/invite", operation_id="use_invite", status_code=HTTPStatus.CREATED)
def use_invite(request: Request, response: Response, given: InviteUse, _: None = public) -> Me:
    """Use a link that works once: make an account, or set a new password. Signs in."""
    house = house_of(request)
    keys = _keys(request, "invite")[1:]
    house.tries.check(*keys)
    people = house.catalog.people
    # before the link is used up
    password = hashed(given.password.get_secret_value())
    if given.name is not None and people.find(name=given.name):
        raise Refused(HTTPStatus.CONFLICT, f"There is an account named {given.name} already; choose another name.")
    house.tries.failed(*keys)
    invite = house.catalog.credentials.use_invite(given.secret)
    house.tries.passed(*keys)
    if invite.person_id:
        people.set_password(invite.person_id, password)
        house.catalog.credentials.close_sessions(invite.person_id)
        person = people.get(invite.person_id)
        house.note(person.id, "person.set_password", person.id)
    else:
        if given.name is None:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "A new account needs a name; ask for a new link.")
        person = people.add(
            given.name,
            display=given.display or "",
            role=invite.role,
            password_hash=password,
            groups=invite.groups,
        )
        house.note(person.id, "person.add", person.id, role=person.role, groups=sorted(person.groups))
    return open_session(request, response, house, person)


@router.get("", operation_id="me")
def me(request: Request, caller: Asker) -> Me:
    """Who one is, and what one may."""
    return _me(house_of(request), caller)


@router.put("/password", operation_id="change_password", status_code=HTTPStatus.NO_CONTENT)
def change_password(request: Request, given: PasswordChange, caller: Asker) -> Response:
    """Change one's own password; other browsers are signed out."""
    house = house_of(request)
    if not caller.csrf:
        raise forbidden("A password is changed in the browser, not with a token.")
    keys = _keys(request, caller.person.name)
    house.tries.check(*keys)
    if not matches(house.catalog.people.password_hash(caller.person.id), given.old.get_secret_value()):
        house.tries.failed(*keys)
        raise Refused(HTTPStatus.UNAUTHORIZED, "The old password is wrong.")
    house.catalog.people.set_password(caller.person.id, hashed(given.new.get_secret_value()))
    house.catalog.credentials.close_sessions(caller.person.id)
    house.note(caller.person.id, "person.set_password", caller.person.id)
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    open_session(request, response, house, caller.person)
    return response


@router.delete("", operation_id="sign_out", status_code=HTTPStatus.NO_CONTENT)
def sign_out(request: Request, caller: Asker) -> Response:
    """Sign this browser out."""
    house = house_of(request)
    if cookie := request.cookies.get(COOKIE):
        house.catalog.credentials.close_session(cookie)
        house.note(caller.person.id, "session.close")
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    response.delete_cookie(COOKIE, path="/")
    return response


def open_session(request: Request, response: Response, house: House, person: PersonRow) -> Me:
    """Sign a person in: a new cookie, whatever the browser had before."""
    if old := request.cookies.get(COOKIE):
        house.catalog.credentials.close_session(old)
    lasts = timedelta(hours=house.settings.serve.session_hours)
    cookie, session = house.catalog.credentials.open_session(person.id, lasts)
    house.catalog.people.note_sign_in(person.id)
    house.note(person.id, "session.open")
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(lasts.total_seconds()),
        path="/",
        httponly=True,
        secure=is_secure(request, house),
        samesite="lax",
    )
    return _me(house, Caller(person, csrf=session.csrf))


def is_secure(request: Request, house: House) -> bool:
    """Whether the browser speaks https; only on loopback may it be without."""
    if house.settings.serve.public_url:
        return house.settings.serve.public_url.startswith("https://")
    return request.url.scheme == "https" or not house.settings.serve.on_loopback


def _me(house: House, caller: Caller) -> Me:
    person = caller.person
    return Me(
        id=person.id,
        name=person.name,
        display=person.display,
        role=person.role,
        groups=sorted(person.groups),
        curates=sorted(person.curates),
        csrf=caller.csrf,
        single_user=house.settings.serve.single_user,
    )


def _keys(request: Request, name: str) -> tuple[str, str]:
    address = request.client.host if request.client else ""
    return f"name {name}", f"address {address}"
