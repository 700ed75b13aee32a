"""A part of a document's extracted text, as far as a reader of the document would see it."""

from __future__ import annotations

from dataclasses import dataclass

from ragapp.errors import BadQuestion
from ragapp.types import Extracted

LONGEST = 20_000
"""Characters that are read at once."""


@dataclass(frozen=True, slots=True)
class Part:
    """A span of the extracted text. `text` lacks what the span hides from a reader, so it may be shorter."""

    start: int
    end: int
    text: str


def part_of(extracted: Extracted, start: int, length: int, page: int | None) -> Part:
    """`length` characters from `start`; with a page, from its beginning and not beyond its end. Raises BadQuestion
    where there is no such page."""
    last = len(extracted.text)
    if page is not None:
        spans = [(element.start, element.end) for element in extracted.elements if element.page == page]
        if not spans:
            has = f"it has {extracted.pages}" if extracted.pages else "its format has no pages"
            raise BadQuestion(f"There is no page {page} with text in this document ({has}); read it by start.")
        start, last = max(start, min(span[0] for span in spans)), max(span[1] for span in spans)
    start = min(start, last)
    end = min(start + length, last)
    return Part(start, end, _seen(extracted, start, end))


def _seen(extracted: Extracted, start: int, end: int) -> str:
    kept, at = [], start
    for element in sorted((each for each in extracted.elements if each.hidden), key=lambda each: each.start):
        if element.end > at and element.start < end:
            kept.append(extracted.text[at : max(at, element.start)])
            at = element.end
    kept.append(extracted.text[at:end])
    return "".join(kept)
