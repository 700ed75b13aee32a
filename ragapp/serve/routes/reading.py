"""What lies in a document: its text, its chunks, its pages as pictures, its original."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import takewhile
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from ragapp.access import Scope
from ragapp.catalog.rows import DocumentRow
from ragapp.errors import Unreadable
from ragapp.serve.callers import Asker
from ragapp.serve.document_shapes import BoxOut, box_out
from ragapp.serve.drawing import WIDEST
from ragapp.serve.house import house_of
from ragapp.serve.mcp.reading import LONGEST, part_of
from ragapp.serve.problems import not_found
from ragapp.serve.routes.documents import DocumentId
from ragapp.serve.seeing import readable_document, revision_of, text_of
from ragapp.types import Box, Word

router = APIRouter(prefix="/v1/documents", tags=["documents"])
Version = Annotated[int | None, Query(ge=1, le=2**31, description="As a citation names it; the newest when left out.")]
Position = Annotated[int, Query(ge=0, le=2**40)]
PageNumber = Annotated[int, Path(ge=1, le=1_000_000, description="From 1.")]
_GAP = 1.5
"""Heights of a line that may be free between two lines that belong together."""
_MOST_BOXES = 2000
_GAP = 1.5
"""Heights of a line that may be free between two lines that are drawn as one block."""


class HeadingOut(BaseModel):
    title: str
    level: int = Field(description="1 the highest.")
    start: int
    page: int | None


class TextOut(BaseModel):
    document_id: str
    revision: int
    title: str
    text: str = Field(description="From `start` to `end`, without what a reader of the document would not see.")
    start: int
    end: int
    total: int = Field(description="Characters of the whole text.")
    pages: int | None
    headings: list[HeadingOut]
    notes: list[str] = Field(description="What was left out on purpose, and why.")


class ChunkOut(BaseModel):
    ordinal: int
    text: str
    start: int
    end: int
    headings: list[str]
    pages: list[int]
    boxes: list[BoxOut]


class ChunksOut(BaseModel):
    chunks: list[ChunkOut]
    total: int


class PageBoxesOut(BaseModel):
    page: int
    width: float = Field(description="Of the page in points.")
    height: float
    boxes: list[BoxOut] = Field(description="Of the words, each a rectangle.")


@router.get("/{document_id}/text", operation_id="read_text")
def read_text(
    request: Request,
    document_id: DocumentId,
    caller: Asker,
    start: Position = 0,
    length: Annotated[int, Query(ge=1, le=LONGEST)] = LONGEST,
    revision: Version = None,
) -> TextOut:
    """The text that ragapp reads in a document, a part at a time."""
    house = house_of(request)
    row = readable_document(house, caller, document_id)
    extracted = text_of(house, revision_of(house, caller, row, revision))
    part = part_of(extracted, start, length, None)
    house.note(caller.person.id, "document.read", row.id)
    headings = [
        HeadingOut(title=extracted.text[each.start : each.end], level=each.level, start=each.start, page=each.page)
        for each in extracted.elements
        if each.kind == "title" and not each.hidden and each.end > part.start and each.start < part.end
    ]
    return TextOut(
        document_id=row.id, revision=revision or row.revision, title=row.title, text=part.text,
        start=part.start, end=part.end, total=len(extracted.text), pages=extracted.pages, headings=headings,
        notes=list(extracted.notes),
    )  # fmt: skip


@router.get("/{document_id}/chunks", operation_id="list_chunks")
def list_chunks(
    request: Request,
    document_id: DocumentId,
    caller: Asker,
    start: Annotated[int, Query(ge=0, le=10_000_000, description="The first chunk's number.")] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> ChunksOut:
    """The chunks that a document was cut into, as they are searched."""
    house = house_of(request)
    row = readable_document(house, caller, document_id)
    wanted = range(start, min(start + limit, row.chunks))
    # who may read it was asked above, of the catalog; the index is asked by the document's own groups
    hits = house.rag.index.chunks(row.id, row.revision, wanted, Scope(row.groups)) if wanted else ()
    words = text_of(house, revision_of(house, caller, row, None)).words
    house.note(caller.person.id, "document.chunks", row.id)
    found = [
        ChunkOut(
            ordinal=hit.payload["ordinal"],
            text=hit.payload["text"],
            start=hit.payload["start"],
            end=hit.payload["end"],
            headings=list(hit.payload.get("headings") or ()),
            pages=list(hit.payload.get("pages") or ()),
            boxes=_around(words, hit.payload["start"], hit.payload["end"]),
        )
        for hit in hits
    ]
    return ChunksOut(chunks=sorted(found, key=lambda each: each.ordinal), total=row.chunks)


@router.get(
    "/{document_id}/pages/{number}",
    operation_id="draw_page",
    response_class=Response,
    responses={200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
)
def draw_page(
    request: Request,
    document_id: DocumentId,
    number: PageNumber,
    caller: Asker,
    width: Annotated[int, Query(ge=50, le=WIDEST, description="Pixels.")] = 1000,
    revision: Version = None,
) -> Response:
    """A page of a PDF as a picture."""
    house = house_of(request)
    row = readable_document(house, caller, document_id)
    made_of = revision_of(house, caller, row, revision)
    if made_of.file_type != "pdf":
        raise Unreadable("Only pages of PDFs can be drawn; read the document's text instead.")
    drawn = house.drawing.page(house.rag.files.original(made_of.sha256), number, width)
    house.note(caller.person.id, "document.page", row.id, page=number)
    # a proxy must not hand it to the next visitor, and rights are asked again each time
    return Response(drawn, media_type="image/png", headers={"Cache-Control": "private, no-cache"})


@router.get("/{document_id}/pages/{number}/boxes", operation_id="page_boxes")
def page_boxes(
    request: Request,
    document_id: DocumentId,
    number: PageNumber,
    caller: Asker,
    start: Position,
    end: Position,
    revision: Version = None,
) -> PageBoxesOut:
    """Where the words of a span of the text stand on a page."""
    house = house_of(request)
    row = readable_document(house, caller, document_id)
    extracted = text_of(house, revision_of(house, caller, row, revision))
    if number > len(extracted.page_sizes):
        raise not_found("page")
    width, height = extracted.page_sizes[number - 1]
    words = [word.box for word in extracted.words if word.box.page == number and word.start < end and word.end > start]
    return PageBoxesOut(page=number, width=width, height=height, boxes=[box_out(box) for box in words[:_MOST_BOXES]])


@router.get(
    "/{document_id}/original",
    operation_id="get_original",
    response_class=FileResponse,
    responses={200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}},
)
def get_original(request: Request, document_id: DocumentId, caller: Asker, revision: Version = None) -> Response:
    """The file as it was taken in. It is always downloaded, never shown in the service's own name."""
    house = house_of(request)
    row = readable_document(house, caller, document_id)
    path = house.rag.files.original(revision_of(house, caller, row, revision).sha256)
    if not path.is_file():
        raise Unreadable("The original of this document is missing; an admin can look into it: ragapp doctor --verify")
    house.note(caller.person.id, "document.original", row.id)
    return FileResponse(path, media_type="application/octet-stream", headers=_as_file(row) | {"ETag": f'"{path.name}"'})


def _around(words: Sequence[Word], start: int, end: int) -> list[BoxOut]:
    """Rectangles around the span's words: one for all that stands together, another after a gap, a column, a page."""
    first = bisect_left(words, start, key=lambda word: word.end)
    found: list[BoxOut] = []
    before: Box | None = None
    for word in takewhile(lambda word: word.start < end, words[first:]):
        box = word.box
        if before and _stands_by(before, box):
            known = found[-1]
            known.x0, known.y0 = min(known.x0, box.x0), min(known.y0, box.y0)
            known.x1, known.y1 = max(known.x1, box.x1), max(known.y1, box.y1)
        else:
            found.append(box_out(box))
        before = box
    return found


def _stands_by(before: Box, box: Box) -> bool:
    """Whether a word is on the line of the one before it, or on the next."""
    return before.page == box.page and box.y1 >= before.y0 and box.y0 - before.y1 <= _GAP * (box.y1 - box.y0)


def _as_file(row: DocumentRow) -> dict[str, str]:
    name = row.source.rsplit("/", 1)[-1] or "document"
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._- ") else "_" for letter in name)
    return {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
        # not the file's own time: equal bytes are kept once, and it tells when anybody's were first taken in
        "Last-Modified": format_datetime(row.changed or datetime.now(UTC), usegmt=True),
    }
