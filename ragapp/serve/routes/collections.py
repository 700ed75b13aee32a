"""Collections: what they are called, and who sees what is put into them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import Field

from ragapp.answer.unseen import seen_line
from ragapp.catalog.service_rows import CollectionRow
from ragapp.serve.callers import Asker, Caller, Curator
from ragapp.serve.document_shapes import CollectionOut
from ragapp.serve.house import House, house_of
from ragapp.serve.naming import group_names, is_shown, refuse_reserved
from ragapp.serve.shapes import Name, Title, Wire

router = APIRouter(prefix="/v1/collections", tags=["documents"])


class CollectionIn(Wire):
    groups: list[Name] = Field(
        min_length=1, max_length=500, description="`everyone` must be named to be meant.", examples=[["staff"]]
    )
    title: Title = ""


@router.get("", operation_id="list_collections")
def list_collections(request: Request, caller: Asker) -> list[CollectionOut]:
    """Collections in which one may see a document, or that one looks after."""
    house = house_of(request)
    visible = house.catalog.collection_rules.counts(caller.principal)
    return [
        _out(caller, row, visible.get(row.name, 0))
        for row in house.catalog.collection_rules.list()
        if is_shown(row.name) and (row.name in visible or caller.may_curate(row.name))
    ]


@router.put("/{name:path}", operation_id="put_collection")
def put_collection(
    request: Request,
    name: Annotated[Name, Path(description="The collection's name.")],
    given: CollectionIn,
    caller: Curator,
) -> CollectionOut:
    """Make a collection (admins), or say anew who sees what is put into it; what is in keeps its groups."""
    house = house_of(request)
    caller.must_curate(name)
    refuse_reserved(name, "collection")
    row = house.catalog.collection_rules.put(name, group_names(given.groups), given.title)
    house.note(caller.person.id, "collection.put", name, groups=sorted(row.groups or ()))
    return _out(caller, row, house.catalog.collection_rules.counts(caller.principal).get(name, 0))


def groups_of_new(house: House, collection: str) -> frozenset[str]:
    """Who sees what is put into a collection. Raises NobodyChosen where nobody has chosen."""
    refuse_reserved(collection, "collection")
    return house.catalog.collection_rules.groups_of_new(collection)


def _out(caller: Caller, row: CollectionRow, visible: int) -> CollectionOut:
    may = caller.may_curate(row.name)
    groups = sorted(row.groups) if may and row.groups is not None else None
    return CollectionOut(name=row.name, title=seen_line(row.title), groups=groups, documents=visible, may_curate=may)
