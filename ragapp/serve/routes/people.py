"""Accounts: who there is, what they may, and the links by which they come in. For admins."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from ragapp.catalog.service_rows import PersonRow, Role
from ragapp.errors import CatalogError
from ragapp.serve.callers import Admin
from ragapp.serve.entrance import base_url
from ragapp.serve.forgetting import forget
from ragapp.serve.house import LOCAL_NAME, House, house_of
from ragapp.serve.naming import collection_names, group_names
from ragapp.serve.problems import Refused, not_found
from ragapp.serve.shapes import Id, Name, Wire

router = APIRouter(prefix="/v1/people", tags=["people"])
_LINK_LASTS = timedelta(days=7)
PersonId = Annotated[Id, Path(description="The person's id.")]


class PersonOut(BaseModel):
    id: str
    name: str
    display: str
    role: Role
    active: bool
    groups: list[str]
    curates: list[str] = Field(description="Collections that this person looks after.")
    created: datetime
    signed_in: datetime | None
    has_password: bool
    elsewhere: bool = Field(description="Whether they sign in through the company's provider.")


class PersonIn(Wire):
    """A new account. Its person sets the password with the link that comes back."""

    name: Name = Field(examples=["ada"])
    display: Name | None = Field(None, examples=["Ada Lovelace"])
    role: Role = "reader"
    groups: list[Name] = Field([], max_length=500, examples=[["board"]])
    curates: list[Name] = Field([], max_length=500)


class PersonChange(Wire):
    """What is named is changed, the rest stays."""

    display: Name | None = None
    role: Role | None = None
    active: bool | None = None
    groups: list[Name] | None = Field(None, max_length=500)
    curates: list[Name] | None = Field(None, max_length=500)


class LinkIn(Wire):
    """What ends at once, where the old password may be in wrong hands."""

    end_sessions: bool = Field(False, description="Sign the person out everywhere now.")
    end_tokens: bool = Field(False, description="Revoke every API token of the person now.")


class Invited(BaseModel):
    """A link that works once."""

    person: PersonOut
    link: str = Field(description="Give it to the person; it is shown only now.")
    expires_in_s: int


@router.get("", operation_id="list_people")
def list_people(request: Request, caller: Admin) -> list[PersonOut]:
    """Everybody who has an account."""
    return [person_out(person) for person in house_of(request).catalog.people.list()]


@router.post("", operation_id="add_person", status_code=HTTPStatus.CREATED)
def add_person(request: Request, given: PersonIn, caller: Admin) -> Invited:
    """Make an account; holds from its first sign-in."""
    house = house_of(request)
    people = house.catalog.people
    groups, curates = group_names(given.groups), collection_names(given.curates)
    if given.name == LOCAL_NAME:
        raise Refused(HTTPStatus.CONFLICT, f"{LOCAL_NAME} is the account of this machine; choose another name.")
    person = people.add(given.name, display=given.display or "", role=given.role, groups=groups)
    people.curate(person.id, curates)
    house.note(caller.person.id, "person.add", person.id, role=given.role, groups=sorted(groups))
    return _invited(house, request, person.id)


@router.get("/{person_id}", operation_id="get_person")
def get_person(request: Request, person_id: PersonId, caller: Admin) -> PersonOut:
    """One account."""
    return person_out(_person(house_of(request), person_id))


@router.patch("/{person_id}", operation_id="change_person")
def change_person(request: Request, person_id: PersonId, given: PersonChange, caller: Admin) -> PersonOut:
    """Change what somebody may; holds for their next request."""
    house = house_of(request)
    people = house.catalog.people
    _person(house, person_id)
    groups = None if given.groups is None else group_names(given.groups)
    curates = None if given.curates is None else collection_names(given.curates)
    # first what may be refused, so that nothing is done by half
    if given.active is not None:
        people.set_active(person_id, given.active)
        if not given.active:
            house.catalog.credentials.close_sessions(person_id)
    if given.role is not None:
        people.set_role(person_id, given.role)
    if groups is not None:
        people.set_groups(person_id, groups)
    if curates is not None:
        people.curate(person_id, curates)
    if given.display is not None:
        people.set_display(person_id, given.display)
    # not the name that is shown: the audit stays when the person is forgotten
    changed = given.model_dump(exclude_none=True, exclude={"display"}, mode="json")
    house.note(caller.person.id, "person.change", person_id, **changed)
    return person_out(people.get(person_id))


@router.post("/{person_id}/link", operation_id="new_link", status_code=HTTPStatus.CREATED)
def new_link(request: Request, person_id: PersonId, caller: Admin, given: LinkIn | None = None) -> Invited:
    """A new link by which the person sets a password; the old password holds until then. Whoever uses it is signed
    out everywhere else; what is asked to end ends now."""
    house, given = house_of(request), given or LinkIn()
    _person(house, person_id)
    if given.end_sessions:
        house.catalog.credentials.close_sessions(person_id)
    if given.end_tokens:
        house.catalog.credentials.revoke_tokens(person_id)
    house.note(caller.person.id, "person.link", person_id, **given.model_dump())
    return _invited(house, request, person_id)


@router.delete("/{person_id}", operation_id="remove_person", status_code=HTTPStatus.NO_CONTENT)
async def remove_person(request: Request, person_id: PersonId, caller: Admin) -> Response:
    """Delete an account with all that it asked and was answered. The audit keeps its bare id."""
    house = house_of(request)
    await asyncio.to_thread(_person, house, person_id)
    for live in house.answers.stop_all_of(person_id):
        await house.answers.stop(live)
    # what is attached to conversations and can't be deleted now goes with the next sweep; nobody sees it any more
    await asyncio.to_thread(forget, house.rag, person_id)
    await asyncio.to_thread(house.note, caller.person.id, "person.remove", person_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def person_out(person: PersonRow) -> PersonOut:
    return PersonOut(
        id=person.id,
        name=person.name,
        display=person.display,
        role=person.role,
        active=person.active,
        groups=sorted(person.groups),
        curates=sorted(person.curates),
        created=person.created,
        signed_in=person.signed_in,
        has_password=person.has_password,
        elsewhere=person.subject is not None,
    )


def _person(house: House, person_id: str) -> PersonRow:
    try:
        return house.catalog.people.get(person_id)
    except CatalogError:
        raise not_found("person") from None


def _invited(house: House, request: Request, person_id: str) -> Invited:
    secret = house.catalog.credentials.invite(_LINK_LASTS, person_id=person_id)
    person = person_out(house.catalog.people.get(person_id))
    return Invited(
        person=person, link=f"{base_url(request, house)}/join/{secret}", expires_in_s=int(_LINK_LASTS.total_seconds())
    )
