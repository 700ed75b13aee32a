"""Questions and their answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, nullcontext
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from ragapp.catalog.service_rows import AnswerRow
from ragapp.serve.answer_events import AnswerEvent, replayed
from ragapp.serve.answers import Asking, LiveAnswer
from ragapp.serve.asking import asker, narrowing, prepare
from ragapp.serve.callers import Asker, Caller
from ragapp.serve.house import House, house_of
from ragapp.serve.problems import Refused, not_found
from ragapp.serve.shapes import AnswerOut, Id, Name, Question, Wire
from ragapp.serve.streaming import Streamed, while_there
from ragapp.serve.withheld import readable

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
        return _events(house, live, 0)
    await while_there(request, house.answers.whole(live))
    if live.error:
        raise live.error
    if live.state in ("failed", "stopped"):
        failed = HTTPStatus.INTERNAL_SERVER_ERROR if live.state == "failed" else HTTPStatus.CONFLICT
        raise Refused(failed, live.row.reason)
    # not from the catalog: a full disk loses the record and not the answer
    return await asyncio.to_thread(answer_out, house, caller, live.row)


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
    if live is not None:
        known = frozenset(live.documents)  # others come while these are looked up
        if known <= await asyncio.to_thread(_visible, house, caller, live, known):
            return _events(house, live, last_event_id)
        await house.answers.stop(live, "Your rights changed while this was answered; ask again.")
        row = live.row
    fields = await asyncio.to_thread(_readable, house, caller, row)
    return Streamed(_lines(_of(replayed(row, fields, last_event_id))), nullcontext())


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


def _readable(house: House, caller: Caller, row: AnswerRow) -> dict[str, Any]:
    return readable(row, asker(house, caller, row.conversation_id), house.catalog)


def _visible(house: House, caller: Caller, live: LiveAnswer, documents: Iterable[str]) -> set[str]:
    return house.catalog.visible(documents, asker(house, caller, live.asking.conversation_id))


def _answer_out(house: House, caller: Caller, answer_id: str) -> AnswerOut:
    row = _row(house, caller, answer_id)
    return answer_out(house, caller, row)


def answer_out(house: House, caller: Caller, row: AnswerRow) -> AnswerOut:
    """An answer as its asker may see it now."""
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
        **_readable(house, caller, row),
    )


def _events(house: House, live: LiveAnswer, after: int) -> StreamingResponse:
    lines = _lines(house.answers.follow(live, after))
    return Streamed(lines, house.answers.reading(live), {"X-Answer-Id": live.row.id})


async def _lines(events: AsyncGenerator[AnswerEvent]) -> AsyncGenerator[str]:
    async with aclosing(events):
        async for event in events:
            number = f"id: {event.id}\n" if event.id is not None else ""
            yield f"{number}event: {event.name}\ndata: {json.dumps(event.data, ensure_ascii=False)}\n\n"


async def _of(events: Iterable[AnswerEvent]) -> AsyncGenerator[AnswerEvent]:
    for event in events:
        yield event
