"""Pictures on a page of a PDF: where they stand, how much of the page they cover, whether there is nothing else."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Rect = tuple[float, float, float, float]
"""Left, bottom, right, top in a PDF's own coordinates."""
_Matrix = tuple[float, float, float, float, float, float]
_IDENTITY: _Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)

MOST = 0.5
"""Share of a page from which pictures are the page: a scan with margins, or in strips."""
_OUTLINES = 20
"""Drawn shapes from which they may be letters that a program turned into outlines."""
_CELLS = 24
"""The page is looked at in so many rows and columns."""
_MOST_OBJECTS = 20_000
_DEEPEST = 6


@dataclass(frozen=True, slots=True)
class Pictures:
    """What stands on a page besides text."""

    places: tuple[Rect, ...]
    share: float
    """Of the page that pictures cover, overlaps counted once."""
    shapes: int

    def cover(self, rect: Rect) -> bool:
        """Whether pictures are most of the page, and one of them lies under the middle of `rect`."""
        x, y = (rect[0] + rect[2]) / 2, (rect[1] + rect[3]) / 2
        return self.share >= MOST and any(a <= x <= c and b <= y <= d for a, b, c, d in self.places)


def only_pictures(page: Any, has_words: bool) -> bool:
    """Whether a page holds next to nothing but a picture. Without words any picture counts, and letters drawn as
    shapes; with a few, one that covers most of the page."""
    pictures = pictures_of(page)
    if pictures.share >= MOST:
        return True
    return not has_words and (bool(pictures.places) or pictures.shapes >= _OUTLINES)


def pictures_of(page: Any) -> Pictures:
    """The pictures of an open page, those inside of forms too; of very many objects the first ones."""
    import pypdfium2.raw as raw

    bounds = page.get_bbox()
    places: list[Rect] = []
    shapes = 0
    for kind, rect in _objects(page):
        if kind == raw.FPDF_PAGEOBJ_IMAGE:
            places.append(rect)
        else:
            shapes += 1
    return Pictures(tuple(places), _share(places, bounds), shapes)


def _objects(page: Any) -> Iterator[tuple[int, Rect]]:
    """Kind and bounds of pictures and shapes, in the page's coordinates."""
    import pypdfium2.raw as raw

    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    matrix = raw.FS_MATRIX()
    drawn = (raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_SHADING)
    seen = 0

    def walk(count: int, get: Any, holder: Any, above: _Matrix, depth: int) -> Iterator[tuple[int, Rect]]:
        nonlocal seen
        for index in range(count):
            seen += 1
            if seen > _MOST_OBJECTS:
                return
            item = get(holder, index)
            kind = raw.FPDFPageObj_GetType(item)
            if kind == raw.FPDF_PAGEOBJ_FORM and depth < _DEEPEST:
                raw.FPDFPageObj_GetMatrix(item, matrix)
                own = (matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f)
                yield from walk(
                    raw.FPDFFormObj_CountObjects(item), raw.FPDFFormObj_GetObject, item, _product(own, above), depth + 1
                )
            elif kind in drawn and raw.FPDFPageObj_GetBounds(item, left, bottom, right, top):
                yield kind, _moved((left.value, bottom.value, right.value, top.value), above)

    yield from walk(raw.FPDFPage_CountObjects(page), raw.FPDFPage_GetObject, page, _IDENTITY, 0)


def _product(inner: _Matrix, outer: _Matrix) -> _Matrix:
    a, b, c, d, e, f = inner
    k, m, n, p, q, r = outer
    return a * k + b * n, a * m + b * p, c * k + d * n, c * m + d * p, e * k + f * n + q, e * m + f * p + r


def _moved(rect: Rect, matrix: _Matrix) -> Rect:
    a, b, c, d, e, f = matrix
    corners = [(x * a + y * c + e, x * b + y * d + f) for x in (rect[0], rect[2]) for y in (rect[1], rect[3])]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def _share(places: list[Rect], bounds: Rect) -> float:
    left, bottom, right, top = bounds
    wide, high = (right - left) / _CELLS, (top - bottom) / _CELLS
    if wide <= 0 or high <= 0:
        return 0.0
    covered: set[tuple[int, int]] = set()
    for a, b, c, d in places:
        columns = range(*_cells(a - left, c - left, wide))
        covered.update((column, row) for row in range(*_cells(b - bottom, d - bottom, high)) for column in columns)
        if len(covered) == _CELLS * _CELLS:
            break
    return len(covered) / _CELLS**2


def _cells(low: float, high: float, step: float) -> tuple[int, int]:
    """The cells whose middles lie between, as the ends of a range."""
    first, last = low / step + 0.5, high / step + 0.5
    return max(0, min(_CELLS, int(first))), max(0, min(_CELLS, int(last)))
