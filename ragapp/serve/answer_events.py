"""What a reader is told of an answer, while it comes and again later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ragapp.answer.history import documents_of
from ragapp.catalog.mentions import UNKNOWN
from ragapp.catalog.service_rows import AnswerRow
from ragapp.errors import RightsChanged
from ragapp.serve.shapes import answer_fields
from ragapp.serve.turns import turn_to_json
from ragapp.types import Answer, Turn

LOST = "The answer was lost, since it could not be kept; ask again."


@dataclass(frozen=True, slots=True)
class AnswerEvent:
    """One thing that a reader is told. Without an id it says how things stand now, and is not told again."""

    name: str
    data: Mapping[str, Any]
    id: int | None = None


def record_of(answer: Answer, waited_s: float, history: Iterable[Turn] = ()) -> dict[str, Any]:
    """What the catalog keeps of an answer. It rests on the passages of the turns before it too, which its prompt
    held."""
    rests_on = {(found.document_id, found.revision) for turn in (*history, answer.turn) for found in turn.passages}
    known = {document for document, _ in rests_on}
    rests_on |= {(document, UNKNOWN) for document in documents_of([answer.turn]) if document not in known}
    return {
        "fields": answer_fields(answer, waited_s),
        "rests_on": sorted(rests_on),
        "nearest_ids": [near.document_id for near in answer.nearest],
        "turn": turn_to_json(answer.turn),
    }


def taken_back(answer_id: str, error: RightsChanged) -> AnswerEvent:
    """What a reader is told instead of the rest, since their rights don't suffice any more."""
    return AnswerEvent("error", {"id": answer_id, "state": "stopped", "detail": str(error), "withheld": True})


def done_event(row: AnswerRow, fields: Mapping[str, Any], number: int) -> AnswerEvent:
    """The last event: "done" with the whole answer, or "error" with one sentence."""
    if row.state in ("failed", "stopped"):
        return AnswerEvent("error", {"id": row.id, "state": row.state, "detail": row.reason}, number)
    return AnswerEvent("done", {"id": row.id, "state": row.state, **fields}, number)


def replayed(row: AnswerRow, fields: Mapping[str, Any], after: int = 0) -> Iterator[AnswerEvent]:
    """The events after this id of an answer that is not in progress any more, with the ids that they had when they were
    first told. The last one comes always, and as news: less may be left to tell than was told once."""
    if row.state in ("queued", "running"):
        row = replace(row, state="failed", reason=LOST)
    told = list(_told(fields)) if fields else []
    yield from (event for event in told if (event.id or 0) > after)
    yield done_event(row, fields, max(len(told), after) + 1)


def _told(fields: Mapping[str, Any]) -> Iterator[AnswerEvent]:
    number = 1
    yield AnswerEvent("passages", {"passages": fields["passages"]}, number)
    cited = {citation["marker"]: citation for citation in fields["citations"]}
    for sentence in fields["sentences"]:
        for marker in sentence["markers"]:
            if citation := cited.pop(marker, None):
                number += 1
                yield AnswerEvent("citation", citation, number)
        number += 1
        yield AnswerEvent("sentence", sentence, number)
