"""The nouns of the house: small frozen types that every floor shares, and nothing else.

Character positions are offsets into a document's extracted text, as Python counts them: `start` is
inclusive, `end` exclusive. Pages count from 1; `None` where the format has none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

EVERYONE = "everyone"
"""The group that every principal belongs to."""

_NAMESPACE = UUID("6f1d3ab4-2f0e-5a8f-9d53-6f4c0a1d7e55")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. Travels from the edge of the system down to the index; there is no query without one."""

    name: str
    groups: frozenset[str] = frozenset()

    @property
    def visible_groups(self) -> frozenset[str]:
        """The groups whose documents this principal may see: its own and everyone's."""
        return self.groups | {EVERYONE}


ElementKind = Literal["title", "text", "list_item", "table_row", "code", "note"]


@dataclass(frozen=True, slots=True)
class Element:
    """A piece of a document in reading order, as a span of its extracted text."""

    kind: ElementKind
    start: int
    end: int
    page: int | None = None
    level: int = 0
    """Depth of a title, 1 the highest; 0 for everything that is not a title."""
    table: int | None = None
    """Which table of the document a table_row belongs to; rows of one table share it."""
    hidden: bool = False
    """A reader of the document would not see it: it stays in the extracted text, and no chunk is made of it."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page, in PDF points with the origin at the top left."""

    page: int
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the extracted text and where it stands on its page."""

    start: int
    end: int
    box: Box


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a parser made of one file: the text, its elements in order, and its words' boxes where known.

    Every character of `text` that is not white space lies in exactly one element.
    """

    text: str
    elements: tuple[Element, ...]
    title: str
    pages: int | None = None
    words: tuple[Word, ...] = ()
    page_sizes: tuple[tuple[float, float], ...] = ()
    """Width and height of each page in points; empty where the format has no pages."""
    dated: datetime | None = None
    """The date that the document gives itself, if it does."""
    language: str | None = None
    """ISO 639-1 code, or None where it can't be told."""
    notes: tuple[str, ...] = ()
    """What was left out on purpose and why, such as "2 pages hold only a picture"."""
    titled: bool | None = None
    """Whether the title is the document's own and not made of its file's name; None where nobody noted it."""
    left_out: int = 0
    """Pages that are only a picture and were not read."""
    by_ocr: int = 0
    """Pages that were read by OCR."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A span of a document that is embedded, found and cited as one.

    `text` is exactly `extracted.text[start:end]`.
    """

    document_id: str
    revision: int
    ordinal: int
    text: str
    start: int
    end: int
    headings: tuple[str, ...] = ()
    """The titles above it, outermost first. Embedded with the text, never cited as text."""
    pages: tuple[int, ...] = ()
    boxes: tuple[Box, ...] = ()
    """One rectangle for each page that the chunk touches."""
    title: str = ""
    """The document's title: a row of a price list says nowhere else of which year it is."""

    @property
    def point_id(self) -> str:
        """A UUID from document, revision and ordinal, so that equal text in two documents never collides."""
        return str(uuid5(_NAMESPACE, f"{self.document_id}:{self.revision}:{self.ordinal}"))

    @property
    def embedded_text(self) -> str:
        """What the dense embedder sees: the heading path, then the text."""
        return embedded_text(self.headings, self.text)

    @property
    def searched_text(self) -> str:
        """What the BM25 branch sees: the document's title too, unless it is a heading already."""
        above = (self.title,) if self.title and self.title not in self.headings else ()
        return embedded_text((*above, *self.headings), self.text)


def embedded_text(headings: tuple[str, ...], text: str) -> str:
    """Heading path and text as one string for the embedders, joined as a reader would say it."""
    return f"{' > '.join(headings)}\n{text}" if headings else text


def document_id(collection: str, source: str) -> str:
    """The stable id of the document that `source` names in `collection`."""
    return str(uuid5(_NAMESPACE, f"{collection}\x00{source}"))


@dataclass(frozen=True, slots=True)
class StageScore:
    """Where one stage of retrieval put a passage: rank from 1, and the stage's own score."""

    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Passage:
    """Text that retrieval found for a question: one chunk, or neighbouring chunks joined.

    `text` is exactly the span `start:end` of the extracted text of that revision of the document.
    """

    document_id: str
    revision: int
    source: str
    title: str
    text: str
    start: int
    end: int
    headings: tuple[str, ...] = ()
    pages: tuple[int, ...] = ()
    collection: str = "default"
    modified: datetime | None = None
    dated: datetime | None = None
    score: float = 0.0
    """Fused score; comparable within one question only."""
    scores: dict[str, StageScore] = field(default_factory=dict)
    """Stage ("dense", "bm25", "fused", …) → rank and score, so that one can see why it was found."""
    ordinals: tuple[int, ...] = ()
    gap: str = ""
    """The white space between the chunk before and this text, so that neighbours can be joined exactly; empty where
    hidden text stands between them, and then they aren't joined."""

    page_starts: tuple[int, ...] = ()
    """For each of `pages`, the position in the extracted text where the passage's part of that page begins."""

    @property
    def page(self) -> int | None:
        """The page that the passage begins on."""
        return self.pages[0] if self.pages else None

    def page_at(self, position: int) -> int | None:
        """The page that holds this position of the extracted text."""
        held = [page for page, start in zip(self.pages, self.page_starts, strict=False) if start <= position]
        return held[-1] if held else self.page

    @property
    def heading(self) -> str:
        return " > ".join(self.headings)

    @property
    def date(self) -> datetime | None:
        """The date to judge its age by: the document's own, else the file's."""
        return self.dated or self.modified


@dataclass(frozen=True, slots=True)
class Citation:
    """One marker of an answer and the exact words it stands for."""

    marker: int
    source: str
    title: str
    heading: str
    page: int | None
    quote: str
    """Exactly the span `start:end` of the document's extracted text."""
    start: int
    end: int
    score: float
    """Share of the sentence's words that the quote holds, 0 to 1."""
    document_id: str
    revision: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer as released to the reader, with the markers that support it."""

    text: str
    markers: tuple[int, ...]
    supported: bool


@dataclass(frozen=True, slots=True)
class NearDocument:
    """A document that came near a question which the documents don't answer."""

    source: str
    title: str
    page: int | None
    similarity: float
    """Cosine of question and nearest chunk, -1 to 1."""
    document_id: str = ""


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds since the question was taken up; `first_token_s` is None where nothing was generated."""

    retrieve_s: float
    first_token_s: float | None
    total_s: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that the engine counted; cached ones are part of the prompt's."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of a conversation and what was answered, with the passages that the prompt held."""

    question: str
    answer: str
    passages: tuple[Passage, ...] = ()
    prompt: str = ""
    """The exact user message that was sent, so that a follow-up's prompt can start with it (prefix cache)."""
    rests_on: frozenset[str] | None = None
    """Ids of all documents that the answer's words can come from: those of its passages, and those of earlier turns
    that its prompt held. None where nobody noted them."""


AnswerStatus = Literal["answered", "not_found"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question came to. With status "not_found", `text` says so and `nearest` names what came near."""

    question: str
    status: AnswerStatus
    text: str
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    passages: tuple[Passage, ...]
    nearest: tuple[NearDocument, ...]
    timings: Timings
    usage: Usage
    model: str
    turn: Turn
    """What to hand back in `history` with a follow-up question."""
    reason: str = ""
    """Why the status is not_found, for a developer or an admin; empty when answered."""
