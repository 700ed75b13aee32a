"""PDF by pypdfium2: words of each page (`page`), lines, blocks (`layout`); pictures of pages by OCR."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from ingest.read.blocks import Block, Draft, hidden_last, one_line
from ingest.read.pdf.layout import blocks_of_pages, hidden_block
from ingest.read.pdf.lines import Line, lines_of
from ingest.read.pdf.ocr import INSTALL, NeedsOcr, lines_of_picture
from ingest.read.pdf.page import Page, page_of
from ragapp.errors import KeptOut, Unreadable

_HIDES = "holds text that a reader doesn't see (invisible, white on white, off the page), which is left out of answers"
_MOST_RANGES = 12
"""Runs of page numbers that a note names."""


@dataclass(slots=True)
class _Found:
    """What the pages of a document hold, as they are read one after the other."""

    lines: list[list[Line]] = field(default_factory=list)
    sizes: list[tuple[float, float]] = field(default_factory=list)
    unseen: dict[int, list[Line]] = field(default_factory=dict)
    """By page, what a reader of it doesn't see."""
    left_out: list[int] = field(default_factory=list)
    """Numbers of pages that are pictures and were not read."""
    by_ocr: list[int] = field(default_factory=list)
    bare: int = 0
    damaged: list[int] = field(default_factory=list)
    characters: int = 0


def read_pdf(file: BinaryIO, limit: int, ocr: str = "") -> Draft:
    """Blocks of a PDF with the boxes of their words. `ocr` names the languages in which tesseract reads pages that are
    only a picture, which are left out where it is empty.

    Raises Unreadable for what needs a password or is damaged, NeedsOcr for what holds only pictures of text, KeptOut
    for more text than `limit` bytes, checked page by page.
    """
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(file)
    except pdfium.PdfiumError as error:
        raise Unreadable(_reason(str(error))) from None
    try:
        if len(document) == 0:
            raise Unreadable("is damaged: it has no pages")
        return _draft(document, limit, ocr)
    finally:
        document.close()


def _draft(document: Any, limit: int, ocr: str) -> Draft:
    found = _Found()
    for number in range(1, len(document) + 1):
        _read_page(document, number, found, ocr)
        if found.characters > limit:
            raise KeptOut(f"holds more than {limit / 2**20:.0f} MiB of text, the most (ingest.max_text_mib)")
    total = len(found.lines)
    if len(found.damaged) == total:
        raise Unreadable("is damaged: none of its pages can be opened")
    if found.characters == 0:
        raise _textless(found)
    title = one_line(document.get_metadata_value("Title"))
    return Draft(
        tuple(hidden_last(_blocks(found))),
        "" if _is_no_title(title) else title,
        pages=total,
        page_sizes=tuple(found.sizes),
        notes=tuple(_notes(found)),
        left_out=len(found.left_out),
        by_ocr=len(found.by_ocr),
    )


def _read_page(document: Any, number: int, found: _Found, ocr: str) -> None:
    """Add one page to what was found; one that is damaged is counted and left out."""
    lines: list[Line] = []
    size = (0.0, 0.0)
    try:
        opened = document[number - 1]
        try:
            page = page_of(opened, number)
            size, lines = page.size, lines_of(page.words)
            if page.picture:
                lines = _read_picture(opened, page, lines, number, found, ocr)
        finally:
            opened.close()
    except (MemoryError, Unreadable):
        raise
    except Exception:  # noqa: BLE001 - what pdfium trips over costs this page alone
        found.damaged.append(number)
    else:
        if page.unseen:
            found.unseen[number] = lines_of(page.unseen)
        found.bare += not lines and not page.picture
        found.characters += sum(len(word.text) for word in page.unseen)
    found.characters += sum(len(word.text) for line in lines for word in line.words)
    found.lines.append(lines)
    found.sizes.append(size)


def _read_picture(opened: Any, page: Page, lines: list[Line], number: int, found: _Found, ocr: str) -> list[Line]:
    """The lines of a page that is a picture: what its text says, and around it what tesseract reads."""
    if not ocr:
        found.left_out.append(number)
        return lines
    read = lines_of_picture(opened, number, page.words, ocr)
    if read is None:
        found.left_out.append(number)
        return lines
    found.by_ocr.append(number)
    top = min((line.y0 for line in read), default=0.0)
    above = [line for line in lines if line.y0 <= top]
    return [*above, *read, *(line for line in lines if line.y0 > top)]


def _textless(found: _Found) -> Unreadable:
    if found.left_out:
        return NeedsOcr(f"holds only pictures of pages, which need OCR: set ingest.ocr to true ({INSTALL})")
    if found.by_ocr:
        return Unreadable("holds only pictures, on which tesseract finds no text")
    return Unreadable("holds no text")


def _blocks(found: _Found) -> Iterator[Block]:
    """All blocks in order; a page's hidden text stands behind it."""
    waiting = sorted(found.unseen)
    for block in blocks_of_pages(found.lines, found.sizes):
        while waiting and block.page is not None and waiting[0] < block.page:
            yield hidden_block(found.unseen[waiting[0]], waiting.pop(0))
        yield block
    for number in waiting:
        yield hidden_block(found.unseen[number], number)


def _notes(found: _Found) -> Iterator[str]:
    total = len(found.lines)
    if found.by_ocr:
        yield f"{_pages(found.by_ocr, total)} only a picture, read by OCR"
    if found.left_out:
        yield f"{_pages(found.left_out, total)} only a picture and left out; ingest.ocr reads such pages"
    if found.bare:
        yield f"{found.bare} of {total} pages hold no text"
    if found.damaged:
        yield f"{_pages(found.damaged, total)} damaged and left out"
    if found.unseen:
        yield _HIDES


def _pages(numbers: Sequence[int], total: int) -> str:
    """ "3 of 12 pages (2, 5-6) are"."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    named = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:_MOST_RANGES]]
    more = ", …" if len(ranges) > _MOST_RANGES else ""
    return f"{len(numbers)} of {total} pages ({', '.join(named)}{more}) {'is' if len(numbers) == 1 else 'are'}"


def _reason(said: str) -> str:
    if "password" in said.lower():
        return "is encrypted with a password; save it without one"
    if "security" in said.lower():
        return "is encrypted in a way that can't be opened"
    return "is damaged or cut off: its pages can't be found"


def _is_no_title(title: str) -> bool:
    """Metadata often holds the file's name in the program that printed it."""
    lowered = title.lower()
    return (
        not title
        or lowered in ("untitled", "unknown", "(anonymous)", "title", "document", "presentation", "none")
        or lowered.startswith("microsoft word - ")
        or lowered.rsplit(".", 1)[-1]
        in ("doc", "docx", "pdf", "indd", "tex", "dvi", "ppt", "pptx", "xls", "xlsx", "qxd")
    )
