"""The retriever alone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from ragapp.access import narrow
from ragapp.serve.callers import Asker
from ragapp.serve.house import house_of
from ragapp.serve.problems import forbidden, not_found
from ragapp.serve.rights import Rights, found_as_now
from ragapp.serve.shapes import Id, Moment, Name, PassageOut, Question, passage_out
from ragapp.types import Passage, Principal

router = APIRouter(prefix="/v1/search", tags=["search"])


class FoundOut(BaseModel):
    query: str
    passages: list[PassageOut] = Field(description="Best first, with the rank and score that each stage gave them.")


@router.get("", operation_id="search")
def search(
    request: Request,
    caller: Asker,
    query: Annotated[Question, Query(description="What to look for.", examples=["notice period"])],
    collections: Annotated[list[Name], Query(max_length=100, description="Only documents of these.")] = [],  # noqa: B006
    sources: Annotated[list[str], Query(max_length=100, description="Only these documents, by source.")] = [],  # noqa: B006
    file_types: Annotated[list[Name], Query(max_length=50, description="Only these, as in pdf or docx.")] = [],  # noqa: B006
    since: Annotated[Moment | None, Query(description="Only documents of this date or later.")] = None,
    until: Annotated[Moment | None, Query(description="Only documents of this date or earlier.")] = None,
    limit: Annotated[int | None, Query(ge=1, le=100)] = None,
    conversation_id: Annotated[Id | None, Query(description="With the files of this conversation.")] = None,
    as_person: Annotated[Id | None, Query(description="For admins: what this person would find.")] = None,
) -> FoundOut:
    """Passages for a query: the same path as an answer's."""
    house = house_of(request)
    if conversation_id and house.catalog.conversations.get(conversation_id, caller.person.id) is None:
        raise not_found("conversation")
    if as_person is not None and not caller.is_admin:
        raise forbidden("Only admins may look as somebody else.")
    narrowed = narrow(collections=collections, sources=sources, file_types=file_types, since=since, until=until)

    def search_as(asks: Principal) -> tuple[Passage, ...]:
        principal = asks if as_person is None else house.catalog.people.get(as_person).principal
        return house.rag.search(query, limit=limit, principal=principal, narrowed=narrowed)

    found = found_as_now(Rights(house, caller, conversation_id), search_as)
    house.note(caller.person.id, "search.run", as_person or "", collections=sorted(collections))
    return FoundOut(query=query, passages=[passage_out(passage) for passage in found])
