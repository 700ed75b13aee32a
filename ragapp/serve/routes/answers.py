"""Questions and their answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, nullcontext
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from ragapp.catalog.service_rows import AnswerRow
from ragapp.errors import RightsChanged
from ragapp.serve.answer_events import AnswerEvent, replayed, taken_back
from ragapp.serve.answers import Asking, LiveAnswer
from ragapp.serve.asking import narrowing, prepare
from ragapp.serve.callers import Asker, Caller
from ragapp.serve.house import House, house_of
from ragapp.serve.problems import Refused, not_found
from ragapp.serve.rights import Rights, asker
from ragapp.serve.shapes import AnswerOut, Id, Name, Question, Wire
from ragapp.serve.streaming import Streamed, while_there
from ragapp.serve.withheld import readable
from ragapp.types import Principal

router = APIRouter(prefix="/v1/answers", tags=["answers"])
AnswerId = Annotated[Id, Path(description="The answer's id.")]

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer, or its events where `stream` is set: queued, running, passages, citation, "
        "sentence, and done or error at the end. Events with an id can be read again from any point.",
        "content": {"text/event-stream": {}},
    }
}


class AskIn(Wire):
    """A question."""

    question: Question = Field(examples=["How long is the warranty on Corvus pumps?"])
    conversation_id: Id | None = Field(None, description="The conversation that it belongs to.")
    new_conversation: bool = Field(False, description="Begin a conversation with this question.")
    replaces: Id | None = Field(None, description="An earlier answer of the conversation: it and what follows it goes.")
    collections: list[Name] = Field([], max_length=100, description="Only documents of these; all when empty.")
    stream: bool = Field(False, description="Events as they come (server-sent events) instead of one JSON at the end.")


@router.post("", operation_id="ask", response_model=AnswerOut, responses=_STREAM)
async def ask(request: Request, asked: AskIn, caller: Asker) -> Any:
    """Ask a question. Outside a conversation an answer stops when nobody reads it any more."""
    house = house_of(request)
    asking = await asyncio.to_thread(_prepared, house, caller, asked)
    live = await house.answers.ask(asking)
    if asked.stream:
        return _events(house, live, asking.rights, 0)
    await while_there(request, house.answers.whole(live))
    if live.error:
        raise live.error
    if live.state in ("failed", "stopped"):
        failed = HTTPStatus.INTERNAL_SERVER_ERROR if live.state == "failed" else HTTPStatus.CONFLICT
        raise Refused(failed, live.row.reason)
    # not from the catalog: a full disk loses the record and not the answer
    return await asyncio.to_thread(lambda: answer_out(house, asking.rights.principal(), live.row))


@router.get("/{answer_id}", operation_id="get_answer")
async def get_answer(request: Request, answer_id: AnswerId, caller: Asker) -> AnswerOut:
    """A question and what has become of it so far."""
    return await asyncio.to_thread(_answer_out, house_of(request), caller, answer_id)


@router.get("/{answer_id}/events", operation_id="answer_events", response_class=StreamingResponse, responses=_STREAM)
async def events(
    request: Request, answer_id: AnswerId, caller: Asker, last_event_id: Annotated[int, Header(ge=0)] = 0
) -> StreamingResponse:
    """The answer's events after `Last-Event-ID`, and those to come."""
    house = house_of(request)
    # before its row: what is not in progress any more has its row complete
    live = house.answers.get(answer_id)
    row = await asyncio.to_thread(_row, house, caller, answer_id)
    rights = Rights(house, caller, row.conversation_id)
    if live is not None:
        return _events(house, live, rights, last_event_id)
    return Streamed(_lines(_again(row, rights, last_event_id)), nullcontext())


@router.delete("/{answer_id}", operation_id="stop_answer", status_code=HTTPStatus.NO_CONTENT)
async def stop(request: Request, answer_id: AnswerId, caller: Asker) -> Response:
    """Stop an answer in progress; what was said of it stays. One that is done stays as it is."""
    house = house_of(request)
    await asyncio.to_thread(_row, house, caller, answer_id)
    if live := house.answers.get(answer_id):
        await house.answers.stop(live)
        await asyncio.to_thread(house.note, caller.person.id, "answer.stop", answer_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _prepared(house: House, caller: Caller, asked: AskIn) -> Asking:
    asking = prepare(
        house,
        caller,
        asked.question,
        conversation_id=asked.conversation_id,
        new_conversation=asked.new_conversation,
        replaces=asked.replaces,
        narrowed=narrowing(asked.collections),
    )
    house.note(caller.person.id, "answer.ask", asking.conversation_id or "", collections=sorted(asked.collections))
    return asking


def _row(house: House, caller: Caller, answer_id: str) -> AnswerRow:
    row = house.catalog.conversations.answer(answer_id, caller.person.id)
    if row is None:
        raise not_found("answer")
    return row


def _answer_out(house: House, caller: Caller, answer_id: str) -> AnswerOut:
    row = _row(house, caller, answer_id)
    return answer_out(house, asker(house, caller, row.conversation_id), row)


def answer_out(
    house: House, principal: Principal, row: AnswerRow, before: Sequence[AnswerRow] | None = None
) -> AnswerOut:
    """An answer as its asker, who is this principal in its conversation, may see it now. `before`: the answers before
    it in the conversation, where they are known."""
    live = house.answers.get(row.id)
    given = house.catalog.conversations.feedback_on([row.id]).get(row.id)
    return AnswerOut(
        id=row.id,
        conversation_id=row.conversation_id,
        question=row.question,
        door=row.door,
        state=live.state if live and not live.done else row.state,
        created=row.created,
        reason=row.reason,
        feedback=("good" if given.good else "bad") if given else None,
        **readable(row, principal, house.catalog, before),
    )


def _events(house: House, live: LiveAnswer, rights: Rights, after: int) -> StreamingResponse:
    lines = _lines(house.answers.follow(live, rights, after))
    return Streamed(lines, house.answers.reading(live), {"X-Answer-Id": live.row.id})


async def _lines(events: AsyncGenerator[AnswerEvent]) -> AsyncGenerator[str]:
    async with aclosing(events):
        async for event in events:
            number = f"id: {event.id}\n" if event.id is not None else ""
            yield f"{number}event: {event.name}\ndata: {json.dumps(event.data, ensure_ascii=False)}\n\n"


async def _again(row: AnswerRow, rights: Rights, after: int) -> AsyncGenerator[AnswerEvent]:
    """The events of an answer that is over, looked at anew before each, since a reader may take their time."""
    catalog, told = rights.house.catalog, after
    while True:
        try:
            fields = await asyncio.to_thread(lambda: readable(row, rights.principal(), catalog))
            event = next(replayed(row, fields, told))
        except RightsChanged as error:
            event = taken_back(row.id, error)
        yield event
        if event.name in ("done", "error"):
            return
        told = event.id or told
