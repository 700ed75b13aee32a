"""What people think of answers."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from ragapp.serve.callers import Admin, Asker
from ragapp.serve.house import house_of
from ragapp.serve.problems import not_found
from ragapp.serve.shapes import Id, PassageOut, Wire
from ragapp.serve.withheld import readable_by_another

router = APIRouter(prefix="/v1/feedback", tags=["feedback"])


class FeedbackIn(Wire):
    answer_id: Id
    good: bool = Field(description="Whether the answer helped.")
    reason: str = Field("", max_length=2000, description="In one's own words.")


class FeedbackOut(BaseModel):
    """Feedback with the answer that it is about, as the admin who reads it may see it."""

    answer_id: str
    person_id: str
    good: bool
    reason: str
    created: datetime
    question: str
    answer: str
    passages: list[PassageOut]
    withheld: bool = Field(
        description="It rests on documents that this admin's groups don't see, or on earlier versions."
    )


@router.put("", operation_id="give_feedback", status_code=HTTPStatus.NO_CONTENT)
def give_feedback(request: Request, given: FeedbackIn, caller: Asker) -> Response:
    """Say what one thinks of an own answer; again replaces what was said before."""
    house = house_of(request)
    if house.catalog.conversations.answer(given.answer_id, caller.person.id) is None:
        raise not_found("answer")
    house.catalog.conversations.give_feedback(given.answer_id, given.good, given.reason)
    house.note(caller.person.id, "feedback.give", given.answer_id, good=given.good)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get("", operation_id="list_feedback")
def list_feedback(
    request: Request,
    caller: Admin,
    good: Annotated[bool | None, Query(description="Only good, or only bad.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[FeedbackOut]:
    """The newest feedback of everybody."""
    house = house_of(request)
    found = []
    for given, answer in house.catalog.conversations.feedback(good=good, limit=limit):
        fields = readable_by_another(answer, caller.person, house.catalog)
        found.append(
            FeedbackOut(
                answer_id=answer.id,
                person_id=answer.person_id,
                good=given.good,
                reason=given.reason,
                created=given.created,
                question=answer.question,
                answer=fields.get("answer", ""),
                passages=[PassageOut(**passage) for passage in fields.get("passages", [])],
                withheld=fields.get("withheld", False),
            )
        )
    house.note(caller.person.id, "feedback.read")
    return found
