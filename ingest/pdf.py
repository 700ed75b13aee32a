"""PDF text by pypdfium2: every word with its box, then lines, then blocks (ingest.pdflines, ingest.pdflayout)."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any, BinaryIO

from ingest.blocks import Draft, one_line
from ingest.pdflayout import blocks_of_pages
from ingest.pdflines import Glyphs, Line, lines_of
from ragapp.errors import Unreadable
from ragapp.types import Box

_BREAKS = frozenset((10, 13))
_HYPHENS = frozenset((0x02, 0xFFFE))
"""What pdfium puts where a hyphen at the end of a line splits a word."""
_FAR = 1e6
_SPACES = frozenset((9, 32, 0xA0, 0x1680, 0x202F, 0x205F, 0x3000, 0x2028, 0x2029, 0x85, 0x0B, 0x0C)) | frozenset(
    range(0x2000, 0x200B)
)
_BOLD = 600
_FORCE_BOLD = 1 << 18
_FIXED_PITCH = 1
"""Bits of a font's flags: PDF 32000-1:2008, table 123."""


def read_pdf(file: BinaryIO, limit: int) -> Draft:
    """Blocks of a PDF with the boxes of their words. Raises Unreadable for what needs a password, is damaged, or holds
    only pictures; `limit` bounds the text in bytes, checked page by page."""
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(file)
    except pdfium.PdfiumError as error:
        raise Unreadable(_reason(str(error))) from None
    try:
        if len(document) == 0:
            raise Unreadable("is damaged: it has no pages")
        return _draft(document, limit)
    finally:
        document.close()


def _draft(document: Any, limit: int) -> Draft:
    pages: list[list[Line]] = []
    sizes: list[tuple[float, float]] = []
    empty, unread, characters = 0, 0, 0
    for number in range(len(document)):
        try:
            page = document[number]
            size, words = _page(page, number + 1)
        except Exception as error:
            if isinstance(error, MemoryError):
                raise
            pages.append([])
            sizes.append((0.0, 0.0))
            unread += 1
            continue
        characters += sum(len(word.text) for word in words)
        if characters > limit:
            raise Unreadable(f"holds more than {limit / 2**20:.0f} MiB of text, the most (ingest.max_text_mib)")
        empty += not words
        pages.append(lines_of(words))
        sizes.append(size)
    total = len(pages)
    if unread == total:
        raise Unreadable("is damaged: none of its pages can be opened")
    if characters == 0:
        raise Unreadable("holds no text; scanned pages need OCR, which is not part of this version")
    notes = []
    if empty:
        notes.append(f"{empty} of {total} pages hold no text (scanned pictures?)")
    if unread:
        notes.append(f"{unread} of {total} pages are damaged and were left out")
    title = one_line(document.get_metadata_value("Title"))
    return Draft(
        tuple(blocks_of_pages(pages, sizes)),
        "" if _is_no_title(title) else title,
        pages=total,
        page_sizes=tuple(sizes),
        notes=tuple(notes),
    )


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


def _page(page: Any, number: int) -> tuple[tuple[float, float], list[Glyphs]]:
    """Displayed size and words of one page in pdfium's order, which is mostly reading order."""
    import pypdfium2.raw as raw

    size = page.get_size()
    place = _placing(page)
    text = page.get_textpage()
    try:
        count = raw.FPDFText_CountChars(text)
        get_unicode = raw.FPDFText_GetUnicode
        codes = [get_unicode(text, index) for index in range(count)]
        return size, list(_words(text, codes, place, number, size))
    finally:
        text.close()
        page.close()


def _words(text: Any, codes: list[int], place: Any, number: int, size: tuple[float, float]) -> Iterator[Glyphs]:
    import pypdfium2.raw as raw

    rect = raw.FS_RECTF()
    reference = ctypes.byref(rect)
    get_box = raw.FPDFText_GetLooseCharBox
    fonts = _Fonts(text)
    width, height = size

    def corners(index: int) -> tuple[float, float, float, float]:
        get_box(text, index, reference)
        return rect.left, rect.bottom, rect.right, rect.top

    def word(first: int, last: int, letters: list[str], breaks: bool, code: int) -> Glyphs | None:
        shown = "".join(letters)
        if not (shown := shown.encode("utf-16", "surrogatepass").decode("utf-16", "replace")):
            return None
        a, b, c, d = corners(first)
        if last != first:
            e, f, g, h = corners(last)
            a, b, c, d = min(a, e), min(b, f), max(c, g), max(d, h)
        if not all(-_FAR < value < _FAR for value in (a, b, c, d)):
            a = b = c = d = 0.0
        x0, y0, x1, y1 = place(a, b, c, d)
        box = Box(
            number,
            round(min(max(x0, 0.0), width), 2),
            round(min(max(y0, 0.0), height), 2),
            round(min(max(x1, 0.0), width), 2),
            round(min(max(y1, 0.0), height), 2),
        )
        bold, fixed = fonts.of(first) if breaks or code in _BREAKS or code in _HYPHENS else (None, None)
        return Glyphs(shown, box, breaks, code in _HYPHENS, bold, fixed)

    letters: list[str] = []
    first = last = 0
    breaks = True
    for index, code in enumerate(codes):
        if code in _SPACES or code in _BREAKS or code in _HYPHENS:
            if letters and (made := word(first, last, letters, breaks, code)):
                yield made
                breaks = False
            letters = []
            breaks = breaks or code in _BREAKS or code in _HYPHENS
        elif code >= 32 and not 0x7F <= code < 0xA0 and code not in (0xAD, 0x200B, 0xFEFF, 0xFFFF):
            if not letters:
                first = index
            letters.append(chr(code))
            last = index
    if letters and (made := word(first, last, letters, breaks, 10)):
        yield made


class _Fonts:
    """Whether the font at a character is bold, and whether it has a fixed pitch; asked at both ends of a line."""

    def __init__(self, text: Any) -> None:
        import pypdfium2.raw as raw

        self._raw = raw
        self._text = text
        self._name = ctypes.create_string_buffer(128)
        self._flags = ctypes.c_int()

    def of(self, index: int) -> tuple[bool, bool]:
        raw = self._raw
        raw.FPDFText_GetFontInfo(self._text, index, self._name, 128, ctypes.byref(self._flags))
        name = self._name.value.decode("utf-8", "replace").lower()
        flags = self._flags.value
        bold = (
            raw.FPDFText_GetFontWeight(self._text, index) >= _BOLD
            or bool(flags & _FORCE_BOLD)
            or any(mark in name for mark in ("bold", "black", "heavy", "semibd", "-bd", "cmbx"))
        )
        fixed = bool(flags & _FIXED_PITCH) or any(mark in name for mark in ("courier", "mono", "consol", "cmtt"))
        return bold, fixed


def _placing(page: Any) -> Any:
    """From a PDF's coordinates (origin at the bottom, before rotation) to the displayed page's, origin at the top."""
    left, bottom, right, top = page.get_bbox()
    turn = page.get_rotation()

    def place(a: float, b: float, c: float, d: float) -> tuple[float, float, float, float]:
        if turn == 90:
            return b - bottom, a - left, d - bottom, c - left
        if turn == 180:
            return right - c, b - bottom, right - a, d - bottom
        if turn == 270:
            return top - d, right - c, top - b, right - a
        return a - left, top - d, c - left, top - b

    return place
