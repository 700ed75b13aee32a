"""What one could ask: from titles and headings of documents that one may see, without the engine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from ragapp.answer.inert import inert_line
from ragapp.catalog.rows import DocumentRow
from ragapp.serve.callers import Asker
from ragapp.serve.house import House, house_of
from ragapp.serve.naming import is_shown

router = APIRouter(prefix="/v1/suggestions", tags=["answers"])
_LOOKED_AT = 60
_READ = 12
_LONGEST_CHUNKS = 500
"""A longer document's text would take too long to read for a suggestion."""
_WORDS = range(2, 13)


class SuggestionOut(BaseModel):
    question: str = Field(examples=["What does “Travel policy” say about “Booking trains”?"])
    title: str
    heading: str = Field(description="Empty where it is about the whole document.")
    document_id: str
    collection: str


@router.get("", operation_id="suggestions")
def suggestions(request: Request, caller: Asker, limit: Annotated[int, Query(ge=1, le=20)] = 4) -> list[SuggestionOut]:
    """A few questions that the newest documents answer, of other documents every day."""
    house = house_of(request)
    found = [
        row
        for row in house.catalog.collection_rules.newest(caller.principal, _LONGEST_CHUNKS, _LOOKED_AT)
        if is_shown(row.collection)
    ]
    day = random.Random(f"{datetime.now(UTC):%Y-%m-%d} {caller.person.id}")  # noqa: S311 - a choice, no secret
    day.shuffle(found)
    made: list[SuggestionOut] = []
    for number, row in enumerate(found):
        if len(made) == limit:
            break
        headings = list(_headings(house, row)) if number < _READ else []
        made.append(_suggestion(row, day.choice(headings) if headings else ""))
    return made


def _suggestion(row: DocumentRow, heading: str) -> SuggestionOut:
    title, shown = inert_line(row.title), inert_line(heading)
    if shown.endswith("?"):
        question = shown
    elif shown:
        question = f"What does “{title}” say about “{shown}”?"
    else:
        question = f"What does “{title}” say?"
    return SuggestionOut(question=question, title=title, heading=shown, document_id=row.id, collection=row.collection)


def _headings(house: House, row: DocumentRow) -> Iterator[str]:
    """Headings that say something by themselves; the first is mostly the title once more."""
    extracted = house.rag.files.extracted(row.sha256, row.parser_version.split(".")[0])
    if extracted is None:
        return
    for element in extracted.elements:
        text = " ".join(extracted.text[element.start : element.end].split())
        if element.kind == "title" and not element.hidden and len(text.split()) in _WORDS and text != row.title:
            yield text
