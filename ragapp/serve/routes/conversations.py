"""Conversations: each its owner's alone."""

from __future__ import annotations

import asyncio
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from ragapp.catalog.service_rows import ConversationRow
from ragapp.serve.callers import Asker, Caller
from ragapp.serve.export import as_markdown
from ragapp.serve.house import House, house_of
from ragapp.serve.problems import not_found
from ragapp.serve.rights import asker
from ragapp.serve.routes.answers import answer_out
from ragapp.serve.shapes import AnswerOut, Id, Name, Wire
from ragapp.serve.withheld import readable

router = APIRouter(prefix="/v1/conversations", tags=["conversations"])
ConversationId = Annotated[Id, Path(description="The conversation's id.")]


class ConversationOut(BaseModel):
    id: str
    title: str
    collections: list[str] = Field(description="Where its questions look; everywhere when empty.")
    created: datetime
    changed: datetime


class WholeConversation(ConversationOut):
    answers: list[AnswerOut]


class ConversationIn(Wire):
    title: Name
    collections: list[Name] = Field([], max_length=100, description="Where its questions look; everywhere when empty.")


class ConversationChange(Wire):
    """What is named is changed, the rest stays."""

    title: Name | None = None
    collections: list[Name] | None = Field(None, max_length=100)


@router.get("", operation_id="list_conversations")
def list_conversations(
    request: Request,
    caller: Asker,
    like: Annotated[str, Query(max_length=200, description="Only those with this in title or questions.")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> list[ConversationOut]:
    """One's own conversations, the last used first."""
    found = house_of(request).catalog.conversations.list(caller.person.id, like=like, limit=limit, offset=offset)
    return [conversation_out(row) for row in found]


@router.post("", operation_id="begin_conversation", status_code=HTTPStatus.CREATED)
def begin_conversation(request: Request, given: ConversationIn, caller: Asker) -> ConversationOut:
    """Begin one before its first question, so that files can be attached to it."""
    house = house_of(request)
    row = house.catalog.conversations.start(caller.person.id, given.title, given.collections)
    house.note(caller.person.id, "conversation.begin", row.id)
    return conversation_out(row)


@router.get("/{conversation_id}", operation_id="get_conversation")
def get_conversation(request: Request, conversation_id: ConversationId, caller: Asker) -> WholeConversation:
    """A conversation with its questions and answers, as one may see them now."""
    house = house_of(request)
    row = own(house, caller, conversation_id)
    answers = house.catalog.conversations.answers(row.id, caller.person.id)
    principal = asker(house, caller, row.id)
    shown = [answer_out(house, principal, answer, answers[:at]) for at, answer in enumerate(answers)]
    return WholeConversation(**conversation_out(row).model_dump(), answers=shown)


@router.patch("/{conversation_id}", operation_id="change_conversation")
def change_conversation(
    request: Request, conversation_id: ConversationId, given: ConversationChange, caller: Asker
) -> ConversationOut:
    """Give it another title, or choose where its questions look."""
    house = house_of(request)
    row = own(house, caller, conversation_id)
    if given.title is not None:
        house.catalog.conversations.rename(row.id, caller.person.id, given.title)
    if given.collections is not None:
        house.catalog.conversations.set_collections(row.id, caller.person.id, given.collections)
    house.note(caller.person.id, "conversation.change", row.id)
    return conversation_out(own(house, caller, conversation_id))


@router.delete("/{conversation_id}", operation_id="delete_conversation", status_code=HTTPStatus.NO_CONTENT)
async def delete_conversation(request: Request, conversation_id: ConversationId, caller: Asker) -> Response:
    """Delete it with its questions, answers and files."""
    house = house_of(request)
    row = await asyncio.to_thread(own, house, caller, conversation_id)
    for live in house.answers.stop_all_of(caller.person.id):
        if live.asking.conversation_id == row.id:
            await house.answers.stop(live)
    await asyncio.to_thread(house.catalog.conversations.delete, row.id, caller.person.id)
    await asyncio.to_thread(house.note, caller.person.id, "conversation.delete", row.id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get(
    "/{conversation_id}/export",
    operation_id="export_conversation",
    response_class=Response,
    responses={200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}},
)
def export(request: Request, conversation_id: ConversationId, caller: Asker) -> Response:
    """The conversation as Markdown with its sources; text only, whatever the documents held."""
    house = house_of(request)
    row = own(house, caller, conversation_id)
    principal = asker(house, caller, row.id)
    answers = house.catalog.conversations.answers(row.id, caller.person.id)
    turns = [
        (answer.question, readable(answer, principal, house.catalog, answers[:at]) or {"reason": answer.reason})
        for at, answer in enumerate(answers)
    ]
    house.note(caller.person.id, "conversation.export", row.id)
    name = f"conversation-{row.created:%Y-%m-%d}.md"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(as_markdown(row.title, row.created, turns), media_type="text/markdown", headers=headers)


def own(house: House, caller: Caller, conversation_id: str) -> ConversationRow:
    """The caller's conversation. Raises Refused where it isn't there or isn't theirs."""
    row = house.catalog.conversations.get(conversation_id, caller.person.id)
    if row is None:
        raise not_found("conversation")
    return row


def conversation_out(row: ConversationRow) -> ConversationOut:
    return ConversationOut(
        id=row.id, title=row.title, collections=sorted(row.collections), created=row.created, changed=row.changed
    )
