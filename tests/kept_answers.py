"""Answers as the service keeps them, without a model that makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from ragapp.catalog.catalog import Catalog
from ragapp.catalog.rows import DocumentRow
from ragapp.serve.shapes import passage_out
from ragapp.serve.turns import turn_to_json
from ragapp.types import Passage, Turn


def record(
    row: DocumentRow, text: str, *, says: str = "", question: str = "What is it?", cites: bool = True
) -> dict[str, Any]:
    """What is kept of an answer that found `text` in this revision of a document, and cites it or doesn't."""
    says = says or text
    passage = Passage(row.id, row.revision, row.source, row.title, text, 0, len(text))
    cited = {
        "marker": 1, "document_id": row.id, "revision": row.revision, "source": row.source, "title": row.title,
        "heading": "", "page": None, "quote": text, "start": 0, "end": len(text), "score": 1.0,
    }  # fmt: skip
    fields: dict[str, Any] = {
        "answer": f"{says} [1]" if cites else "Nobody says.",
        "sentences": [{"text": says, "markers": [1], "supported": True}] if cites else [],
        "citations": [cited] if cites else [],
        "passages": [passage_out(passage).model_dump(mode="json")],
        "nearest": [],
        "model": "m",
        "timings": {"waited_s": 0, "retrieve_s": 0, "first_token_s": None, "total_s": 0},
        "usage": {"prompt_tokens": 1, "cached_tokens": 0, "completion_tokens": 1},
    }
    turn = Turn(question, fields["answer"], (passage,) if cites else (), f"<source>{text}</source>" if cites else "")
    prompted = [row.id] if cites else []
    return {"fields": fields, "prompted": prompted, "nearest_ids": [], "turn": turn_to_json(turn)}


def keep_answer(
    catalog: Catalog,
    person: str,
    row: DocumentRow,
    text: str,
    *,
    question: str = "What is it?",
    cites: bool = True,
    conversation: str | None = None,
    before: Sequence[DocumentRow] = (),
    says: str = "",
) -> tuple[str, str]:
    """A kept answer of a person on this revision of a document, after turns on these; returns its id and its
    conversation's."""
    known = catalog.people.find(name=person)
    owner = known.id if known else catalog.people.add(person).id
    conversation = conversation or catalog.conversations.start(owner, "Talk").id
    answer_id = str(uuid4())
    catalog.conversations.ask(answer_id, owner, conversation, "api", question)
    kept = record(row, text, says=says, question=question, cites=cites)
    kept["rests_on"] = [(each.id, each.revision) for each in (*before, row)] if cites else []
    catalog.conversations.settle(answer_id, "answered", "", kept)
    return answer_id, conversation
