"""One page of a PDF: its words with their boxes, those that a reader doesn't see apart."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ingest.read.pdf.hidden import Sight
from ingest.read.pdf.lines import Glyphs
from ingest.read.pdf.pictures import only_pictures
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
_NEXT_TO_NONE = 16
"""Words below which the text of a page may be a stamp or a fax's head line on a picture of the page."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one page holds."""

    size: tuple[float, float]
    """As displayed, in points."""
    words: list[Glyphs]
    """In pdfium's order, which is mostly reading order."""
    unseen: list[Glyphs]
    """Words that a reader of the page doesn't see."""
    picture: bool
    """Next to nothing but a picture, of which the text could be read by OCR."""


def page_of(page: Any, number: int) -> Page:
    """The words of an open page. `number` counts from 1."""
    import pypdfium2.raw as raw

    size = page.get_size()
    opened = page.get_textpage()
    try:
        text = opened.raw  # the bare handle: pypdfium2's own object is asked for it at each call, several a letter
        count = raw.FPDFText_CountChars(text)
        get_unicode = raw.FPDFText_GetUnicode
        codes = [get_unicode(text, index) for index in range(count)]
        words: list[Glyphs] = []
        unseen: list[Glyphs] = []
        for word, is_seen in _words(page, text, codes, number, size):
            (words if is_seen else unseen).append(word)
        return Page(size, words, unseen, len(words) < _NEXT_TO_NONE and only_pictures(page, bool(words)))
    finally:
        opened.close()


def _words(
    page: Any, text: Any, codes: list[int], number: int, size: tuple[float, float]
) -> Iterator[tuple[Glyphs, bool]]:
    """Words and whether a reader sees them."""
    import pypdfium2.raw as raw

    rect = raw.FS_RECTF()
    reference = ctypes.byref(rect)
    get_box = raw.FPDFText_GetLooseCharBox
    fonts = _Fonts(text)
    sees = Sight(page, text).sees
    place = placing(page)
    width, height = size

    def corners(index: int) -> tuple[float, float, float, float]:
        get_box(text, index, reference)
        return rect.left, rect.bottom, rect.right, rect.top

    def word(first: int, last: int, letters: list[str], breaks: bool, code: int) -> tuple[Glyphs, bool] | None:
        shown = "".join(letters)
        if not shown.isascii() and not (shown := _mended(shown)):
            return None
        a, b, c, d = corners(first)
        if last != first:
            e, f, g, h = corners(last)
            # comparisons, since calls of min and max take half of this function's time
            a, b, c, d = a if a < e else e, b if b < f else f, c if c > g else g, d if d > h else h
        if not (-_FAR < a < _FAR and -_FAR < b < _FAR and -_FAR < c < _FAR and -_FAR < d < _FAR):
            a = b = c = d = 0.0
        is_seen = sees(first, (a, b, c, d))
        x0, y0, x1, y1 = place(a, b, c, d)
        if not (x0 >= 0.0 and y0 >= 0.0 and x1 <= width and y1 <= height):
            x0, x1 = min(max(x0, 0.0), width), min(max(x1, 0.0), width)
            y0, y1 = min(max(y0, 0.0), height), min(max(y1, 0.0), height)
        box = Box(number, round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2))
        bold, fixed = fonts.of(first) if breaks or code in _BREAKS or code in _HYPHENS else (None, None)
        return Glyphs(shown, box, breaks, code in _HYPHENS, bold, fixed), is_seen

    letters: list[str] = []
    first = last = 0
    breaks = True
    for index, code in enumerate(codes):
        if code in _SPACES or code in _BREAKS or code in _HYPHENS:
            if letters and (made := word(first, last, letters, breaks, code)):
                yield made
                # the first that is seen behind one that isn't begins a line as well
                breaks = breaks and not made[1]
            letters = []
            breaks = breaks or code in _BREAKS or code in _HYPHENS
        elif code >= 32 and not 0x7F <= code < 0xA0 and code not in (0xAD, 0x200B, 0xFEFF, 0xFFFF):
            if not letters:
                first = index
            letters.append(chr(code))
            last = index
    if letters and (made := word(first, last, letters, breaks, 10)):
        yield made


def _mended(word: str) -> str:
    """Halves of surrogate pairs, which pdfium gives one by one, put together."""
    return word.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


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


def placing(page: Any) -> Any:
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
