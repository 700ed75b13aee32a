"""Answers and passages from the service that has the data folder open, in the forms that our own come in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ragapp.cli.handover import Handover
from ragapp.errors import BadQuestion, EngineError
from ragapp.types import (
    Answer,
    Citation,
    NearDocument,
    Passage,
    Sentence,
    StageScore,
    Timings,
    Turn,
    Usage,
)

if TYPE_CHECKING:
    from ragapp.access import Scope
    from ragapp.answer.events import Event

_ASK = "/v1/answers"


@dataclass(slots=True)
class ServiceAnswers:
    """`ask`, `stream` and `search` as RagApp has them. Where `conversing`, the service keeps what was said before."""

    service: Handover
    conversing: bool = False
    _conversation: str | None = None

    def ask(self, question: str, *, history: Sequence[Any] = (), narrowed: Scope | None = None) -> Answer:
        """The whole answer. Raises BadQuestion or EngineError with the service's reason."""
        from ragapp.answer.events import Done

        for event in self.stream(question, history=history, narrowed=narrowed):
            if isinstance(event, Done):
                return event.answer
        raise EngineError("The answer broke off; ask again.")

    def stream(self, question: str, *, history: Sequence[Any] = (), narrowed: Scope | None = None) -> Iterator[Event]:
        """Sentences as the service releases them, then the whole answer."""
        from ragapp.answer.events import Done, SentenceReady

        if history and not self.conversing:
            raise BadQuestion("A question with a history of its own can't be handed to the service; ask it by itself.")
        asked = {"question": question, "stream": True, "collections": _collections(narrowed)}
        if self.conversing:
            asked |= {"conversation_id": self._conversation} if self._conversation else {"new_conversation": True}
        for name, data in _events(self.service.lines("POST", _ASK, asked)):
            if self.conversing and not self._conversation and "id" in data:
                self._conversation = self.service.get(f"{_ASK}/{data['id']}", {})["conversation_id"]
            if name == "sentence":
                yield SentenceReady(Sentence(data["text"], tuple(data["markers"]), data["supported"]))
            elif name == "error":
                raise EngineError(data["detail"])
            elif name == "done":
                yield Done(_answer(question, data))

    def search(self, query: str, *, limit: int | None = None, narrowed: Scope | None = None) -> tuple[Passage, ...]:
        """Passages for a query, best first."""
        wanted = {"query": query, "collections": _collections(narrowed)} | ({"limit": limit} if limit else {})
        return tuple(_passage(found) for found in self.service.get("/v1/search", wanted)["passages"])


def _collections(narrowed: Scope | None) -> list[str]:
    return sorted(narrowed.collections or ()) if narrowed else []


def _events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Server-sent events: each one's name and data."""
    name = ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def _answer(question: str, told: Mapping[str, Any]) -> Answer:
    timings = told["timings"]
    return Answer(
        question=question,
        status="answered" if told["state"] == "answered" else "not_found",
        text=told["answer"],
        sentences=tuple(Sentence(s["text"], tuple(s["markers"]), s["supported"]) for s in told["sentences"]),
        citations=tuple(Citation(**cited) for cited in told["citations"]),
        passages=tuple(_passage(found) for found in told["passages"]),
        nearest=tuple(NearDocument(near["source"], near["title"], near["page"], 0.0) for near in told["nearest"]),
        timings=Timings(timings["retrieve_s"], timings["first_token_s"], timings["total_s"]),
        usage=Usage(**told["usage"]),
        model=told["model"],
        turn=Turn(question, told["answer"]),
        reason=told.get("reason", ""),
    )


def _passage(found: Mapping[str, Any]) -> Passage:
    return Passage(
        document_id=found["document_id"],
        revision=found["revision"],
        source=found["source"],
        title=found["title"],
        text=found["text"],
        start=found["start"],
        end=found["end"],
        headings=tuple(found["heading"].split(" > ")) if found["heading"] else (),
        pages=(found["page"],) if found["page"] is not None else (),
        collection=found["collection"],
        score=found["score"],
        scores={stage: StageScore(rank, found["scores"][stage]) for stage, rank in found["ranks"].items()},
    )
