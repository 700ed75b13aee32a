"""What a reader of a page doesn't see: words off the page, of no size, drawn invisibly, white on white."""

from __future__ import annotations

import ctypes
from math import hypot
from typing import Any

from ingest.read.pdf.pictures import Pictures, Rect, pictures_of

_SMALLEST = 1.0
"""Points below which letters can't be read."""
_INVISIBLE = 3
_FILLS = (0, 4)
"""Text rendering modes that paint letters by their fill alone: PDF 32000-1:2008, table 106."""
_WHITE = 250
"""Of 255, from which a colour is that of the paper."""
_FAINT = 8
"""Opacity of 255 up to which nothing is to be seen."""
_MOST_PIXELS = 4_000_000


class Sight:
    """Whether a reader sees the words of one page. What is costly is asked only of pages with something odd on them:
    invisible letters are looked for on a picture, as OCR puts them over a scan, and white ones in the page as drawn."""

    def __init__(self, page: Any, text: Any) -> None:
        import pypdfium2.raw as raw

        self._raw = raw
        self._page = page
        self._text = text
        self._left, self._bottom, self._right, self._top = page.get_bbox()
        self._object = 0
        self._mode = 0
        self._white = False
        self._colours = tuple(ctypes.c_uint() for _ in range(4))
        self._matrix = raw.FS_MATRIX()
        self._pictures: Pictures | None = None
        self._drawing: _Drawing | None = None

    def sees(self, index: int, rect: Rect) -> bool:
        """Whether the word is seen that begins with this character and takes up `rect` (the page's own coordinates)."""
        a, b, c, d = rect
        if c < self._left or a > self._right or d < self._bottom or b > self._top:
            return False
        if (d - b < _SMALLEST or c - a < _SMALLEST) and self._size(index) < _SMALLEST:
            return False
        drawn_by = self._raw.FPDFText_GetTextObject(self._text, index)
        if not drawn_by:
            return True
        if (address := ctypes.addressof(drawn_by.contents)) != self._object:
            self._object = address
            self._look_at(drawn_by)
        if self._mode == _INVISIBLE:
            return self._on_picture(rect)
        return not self._white or self._stands_out(rect)

    def _size(self, index: int) -> float:
        """Of the font as drawn, in points; letters that have no size of their own count as large."""
        size = self._raw.FPDFText_GetFontSize(self._text, index)
        if not self._raw.FPDFText_GetMatrix(self._text, index, self._matrix):
            return float(size) or _SMALLEST
        return float(size) * max(
            hypot(self._matrix.c, self._matrix.d), hypot(self._matrix.a, self._matrix.b)
        )  # letters pressed flat are wide, and may be a rule

    def _look_at(self, drawn_by: Any) -> None:
        self._mode = self._raw.FPDFTextObj_GetTextRenderMode(drawn_by)
        self._white = False
        if self._mode in _FILLS and self._raw.FPDFPageObj_GetFillColor(drawn_by, *self._colours):
            *colours, opacity = (part.value for part in self._colours)
            self._white = min(colours) >= _WHITE or opacity <= _FAINT

    def _on_picture(self, rect: Rect) -> bool:
        if self._pictures is None:
            self._pictures = pictures_of(self._page)
        return self._pictures.cover(rect)

    def _stands_out(self, rect: Rect) -> bool:
        if self._drawing is None:
            self._drawing = _Drawing(self._page)
        return self._drawing.has_ink(rect)


class _Drawing:
    """The page as a reader sees it, in shades of grey."""

    def __init__(self, page: Any) -> None:
        left, bottom, right, top = page.get_bbox()
        self._origin = left, top
        scale = min(1.0, (_MOST_PIXELS / max((right - left) * (top - bottom), 1.0)) ** 0.5)
        self._scale = scale
        turn = page.get_rotation()
        # drawn upright, so that the PDF's own coordinates find their place
        bitmap = page.render(scale=scale, rotation=(360 - turn) % 360, grayscale=True, may_draw_forms=False)
        self._width, self._height, self._stride = bitmap.width, bitmap.height, bitmap.stride
        self._pixels = bytes(bitmap.buffer)
        bitmap.close()

    def has_ink(self, rect: Rect) -> bool:
        """Whether anything but white is to be seen in the middle of `rect`; its rim may show its neighbours."""
        a, b, c, d = rect
        left, top = self._origin
        inset = 0.2 * min(c - a, d - b)
        x0, x1 = self._within(a + inset - left, c - inset - left, self._width)
        y0, y1 = self._within(top - d + inset, top - b - inset, self._height)
        rows = (self._pixels[row * self._stride + x0 : row * self._stride + x1] for row in range(y0, y1))
        return any(min(row, default=255) < _WHITE for row in rows)

    def _within(self, low: float, high: float, size: int) -> tuple[int, int]:
        first = max(0, min(size - 1, int(low * self._scale)))
        return first, max(first + 1, min(size, int(high * self._scale) + 1))
