"""What goes over the wire: the service's nouns as programs see them. Times are ISO 8601 in UTC, durations seconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ragapp.answer.unseen import seen, seen_line
from ragapp.catalog.service_rows import AnswerState, Door
from ragapp.serve.wording import without_folder
from ragapp.types import Answer, Citation, NearDocument, Passage, Sentence

LONGEST_QUESTION = 20_000
"""Characters; a model's context is the closer limit, and says so in tokens."""


def _all_seen(name: str) -> str:
    if seen(name) != name:
        raise ValueError("it holds characters that aren't seen, so that it would look like another name; type it anew")
    return name


Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"), AfterValidator(_all_seen)]
"""What people are told apart by, and groups, and collections."""
Title = Annotated[str, Field(max_length=200), AfterValidator(_all_seen)]
"""What stands beside a name, for people to read; may be empty."""


def _in_utc(given: datetime) -> datetime:
    try:
        return (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError("it lies outside the calendar") from None


Moment = Annotated[datetime, AfterValidator(_in_utc)]
"""A moment in UTC; without a zone it is taken for UTC."""
Question = Annotated[str, Field(min_length=1, max_length=LONGEST_QUESTION)]
Id = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9-]+$")]


class Wire(BaseModel):
    """Unknown fields are refused, so that a slip of the pen is no silent default."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """What went wrong, in one sentence (RFC 9457)."""

    type: str = "about:blank"
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no such document, or you may not see it."])
    request_id: str = Field(description="Name it when you ask an admin for help.", examples=["0f3c9a"])


class PassageOut(BaseModel):
    document_id: str
    revision: int
    source: str = Field(examples=["handbook/travel.pdf"])
    collection: str
    title: str
    heading: str
    page: int | None
    text: str
    start: int = Field(description="Position in the document's extracted text.")
    end: int
    date: datetime | None = Field(description="The document's own date, else the file's.")
    score: float
    ranks: dict[str, int] = Field(examples=[{"dense": 1, "bm25": 3, "fused": 1}])
    scores: dict[str, float]


class CitationOut(BaseModel):
    marker: int
    document_id: str
    revision: int
    source: str
    title: str
    heading: str
    page: int | None
    quote: str = Field(
        description="Exactly the document's extracted text from `start` to `end`, with what isn't seen in it; title, "
        "heading and source have that marked."
    )
    start: int
    end: int
    score: float


class SentenceOut(BaseModel):
    text: str
    markers: list[int]
    supported: bool


class NearOut(BaseModel):
    """A document that came near a question which the documents don't answer."""

    source: str
    title: str
    page: int | None


class TimingsOut(BaseModel):
    waited_s: float
    retrieve_s: float
    first_token_s: float | None
    total_s: float


class UsageOut(BaseModel):
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


class AnswerOut(BaseModel):
    """A question and what became of it. While `state` is queued or running, the fields below it fill up."""

    id: str
    conversation_id: str | None
    question: str
    door: Door
    state: AnswerState
    created: datetime
    reason: str = Field("", description="Why there is no answer, in one sentence; empty where there is one.")
    answer: str = Field("", description="The whole text with its markers, for readers of plain text.")
    sentences: list[SentenceOut] = []
    citations: list[CitationOut] = []
    passages: list[PassageOut] = []
    nearest: list[NearOut] = []
    timings: TimingsOut | None = None
    usage: UsageOut | None = None
    model: str = ""
    withheld: bool = Field(False, description="It rests on documents that the asker may not see any more.")
    feedback: Literal["good", "bad"] | None = None


def passage_out(found: Passage) -> PassageOut:
    return PassageOut(
        document_id=found.document_id,
        revision=found.revision,
        source=seen_line(found.source),
        collection=found.collection,
        title=seen_line(found.title),
        heading=seen_line(found.heading),
        page=found.page,
        text=found.text,
        start=found.start,
        end=found.end,
        date=found.date,
        score=round(found.score, 4),
        ranks={stage: score.rank for stage, score in found.scores.items()},
        scores={stage: round(score.score, 4) for stage, score in found.scores.items()},
    )


def citation_out(cited: Citation) -> CitationOut:
    exact = ("marker", "document_id", "revision", "page", "quote", "start", "end", "score")
    named = ("source", "title", "heading")
    return CitationOut(
        **{name: getattr(cited, name) for name in exact}, **{name: seen_line(getattr(cited, name)) for name in named}
    )


def sentence_out(sentence: Sentence) -> SentenceOut:
    return SentenceOut(text=sentence.text, markers=list(sentence.markers), supported=sentence.supported)


def near_out(near: NearDocument) -> NearOut:
    return NearOut(source=seen_line(near.source), title=seen_line(near.title), page=near.page)


def answer_fields(answer: Answer, waited_s: float) -> dict[str, Any]:
    """What a finished answer adds to its resource, as JSON."""
    timings, usage = answer.timings, answer.usage
    return {
        "answer": answer.text,
        "sentences": [sentence_out(sentence).model_dump() for sentence in answer.sentences],
        "citations": [citation_out(cited).model_dump() for cited in answer.citations],
        "passages": [passage_out(found).model_dump(mode="json") for found in answer.passages],
        "nearest": [near_out(near).model_dump() for near in answer.nearest],
        "timings": {
            "waited_s": round(waited_s, 4),
            "retrieve_s": timings.retrieve_s,
            "first_token_s": timings.first_token_s,
            "total_s": timings.total_s,
        },
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "cached_tokens": usage.cached_tokens,
            "completion_tokens": usage.completion_tokens,
        },
        "model": without_folder(answer.model),
    }
