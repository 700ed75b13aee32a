"""Groups: who is in them, and how much they see."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from ragapp.serve.callers import Admin, Asker
from ragapp.serve.house import house_of
from ragapp.serve.naming import is_shown, refuse_reserved
from ragapp.serve.problems import not_found
from ragapp.serve.shapes import Name, Wire
from ragapp.types import EVERYONE

router = APIRouter(prefix="/v1/groups", tags=["people"])


class GroupOut(BaseModel):
    name: str
    people: int | None = Field(description="How many are in it; for admins.")
    documents: int | None = Field(description="How many documents it may see; for admins.")


class GroupIn(Wire):
    name: Name = Field(examples=["board"])


@router.get("", operation_id="list_groups")
def list_groups(request: Request, caller: Asker) -> list[GroupOut]:
    """All groups for admins; their own for everybody else."""
    house = house_of(request)
    if not caller.is_admin:
        own = sorted(caller.principal.visible_groups)
        return [GroupOut(name=name, people=None, documents=None) for name in own]
    people = house.catalog.people.list()
    documents = house.catalog.access.counts()
    names = house.catalog.people.groups() | house.catalog.access.known()
    return [
        GroupOut(
            name=name,
            people=len(people) if name == EVERYONE else sum(name in person.groups for person in people),
            documents=documents.get(name, 0),
        )
        for name in sorted(names)
        if is_shown(name)
    ]


@router.post("", operation_id="add_group", status_code=HTTPStatus.CREATED)
def add_group(request: Request, given: GroupIn, caller: Admin) -> GroupOut:
    """Make a group."""
    house = house_of(request)
    refuse_reserved(given.name, "group")
    house.catalog.people.add_group(given.name)
    house.note(caller.person.id, "group.add", given.name)
    return GroupOut(name=given.name, people=0, documents=house.catalog.access.counts().get(given.name, 0))


@router.delete("/{name:path}", operation_id="remove_group", status_code=HTTPStatus.NO_CONTENT)
def remove_group(request: Request, name: Annotated[Name, Path()], caller: Admin) -> Response:
    """Take everybody out of a group and forget it. Documents keep its name, and nobody sees them through it."""
    house = house_of(request)
    if name == EVERYONE or name not in house.catalog.people.groups():
        raise not_found("group")
    house.catalog.people.remove_group(name)
    house.note(caller.person.id, "group.remove", name)
    return Response(status_code=HTTPStatus.NO_CONTENT)
