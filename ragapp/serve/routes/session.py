"""Signing in and out, and who one is."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, SecretStr

from ragapp.catalog.service_rows import PersonRow, Role
from ragapp.serve.callers import Asker, Caller, public, same_site
from ragapp.serve.entrance import address_of, by_link, by_password, close_session, new_password, open_session
from ragapp.serve.house import House, house_of
from ragapp.serve.passwords import LONGEST_PASSWORD, SHORTEST_PASSWORD
from ragapp.serve.problems import forbidden
from ragapp.serve.shapes import Name, Wire

router = APIRouter(prefix="/v1/session", tags=["session"])
Password = Annotated[SecretStr, Field(max_length=LONGEST_PASSWORD)]
_RULE = f"At least {SHORTEST_PASSWORD} characters, and none of the common ones."


class SignIn(Wire):
    name: Name = Field(examples=["ada"])
    password: Password


class InviteUse(Wire):
    """What an invitation's link is used with."""

    secret: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="The last part of the link.")
    name: Name | None = Field(None, description="The new account's name; not for a new password.")
    display: Name | None = None
    password: Password = Field(description=_RULE)
    end_tokens: bool = Field(False, description="With a new password: also revoke every API token of the account.")


class PasswordChange(Wire):
    old: Password
    new: Password = Field(description=_RULE)
    end_tokens: bool = Field(False, description="Also revoke every API token of the account.")


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
    same_site(request, house)
    person = by_password(house, address_of(request), given.name, given.password.get_secret_value())
    return _signed_in(request, response, house, person)


@router.post("/invite", operation_id="use_invite", status_code=HTTPStatus.CREATED)
def use_invite(request: Request, response: Response, given: InviteUse, _: None = public) -> Me:
    """Use a link that works once: make an account, or set a new password. Signs in."""
    house = house_of(request)
    same_site(request, house)
    password = given.password.get_secret_value()
    person = by_link(
        house,
        address_of(request),
        given.secret,
        password,
        given.name,
        given.display,
        end_tokens=given.end_tokens,
    )
    return _signed_in(request, response, house, person)


@router.get("", operation_id="me")
def me(request: Request, caller: Asker) -> Me:
    """Who one is, and what one may."""
    return _me(house_of(request), caller)


@router.put("/password", operation_id="change_password", status_code=HTTPStatus.NO_CONTENT)
def change_password(request: Request, given: PasswordChange, caller: Asker) -> Response:
    """Change one's own password; other browsers are signed out, and API tokens end if asked."""
    house = house_of(request)
    if not caller.csrf:
        raise forbidden("A password is changed in the browser, not with a token.")
    old, new = given.old.get_secret_value(), given.new.get_secret_value()
    new_password(house, address_of(request), caller.person, old, new, end_tokens=given.end_tokens)
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    open_session(request, response, house, caller.person)
    return response


@router.delete("", operation_id="sign_out", status_code=HTTPStatus.NO_CONTENT)
def sign_out(request: Request, caller: Asker) -> Response:
    """Sign this browser out."""
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    close_session(request, response, house_of(request), caller.person.id)
    return response


def _signed_in(request: Request, response: Response, house: House, person: PersonRow) -> Me:
    session = open_session(request, response, house, person)
    return _me(house, Caller(person, csrf=session.csrf))


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
