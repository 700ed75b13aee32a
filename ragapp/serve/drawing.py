"""Pages of PDFs as pictures, drawn behind the fence: a hostile file costs its picture and nothing else."""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import partial
from pathlib import Path

from ingest.fence.fence import Fence, FenceLimits
from ragapp.errors import Unreadable

WIDEST = 2400
"""Pixels."""
_TALLEST = 4000
_KEPT = 128
_LIMITS = FenceLimits(workers=1, memory_mib=2048, timeout_s=20, timeout_s_per_mib=0)


class Drawing:
    """Draws pages and keeps the last ones. Safe to share between threads."""

    def __init__(self) -> None:
        self._fence = Fence(_LIMITS)
        self._kept: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def page(self, original: Path, number: int, width: int) -> bytes:
        """One page, counted from 1, as PNG of `width` pixels. Raises Unreadable where it can't be drawn."""
        key = (original.name, number, width)
        with self._lock:
            if found := self._kept.get(key):
                self._kept.move_to_end(key)
                return found
        drawn = self._fence.call_sized(original.stat().st_size, partial(draw_page, original, number, width))
        with self._lock:
            self._kept[key] = drawn
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return drawn

    def close(self) -> None:
        """End the worker."""
        self._fence.close()


def draw_page(original: Path, number: int, width: int) -> bytes:
    """The work itself; runs in a worker."""
    from io import BytesIO

    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(original)
    except pdfium.PdfiumError as error:
        raise Unreadable(f"This document can't be drawn ({error}); download the original.") from None
    try:
        if not 1 <= number <= len(document):
            raise Unreadable(f"There is no page {number}: it has {len(document)}.")
        page = document[number - 1]
        wide, high = page.get_size()
        scale = min(width / max(wide, 1.0), _TALLEST / max(high, 1.0))
        picture = page.render(scale=scale).to_pil()
    finally:
        document.close()
    sink = BytesIO()
    picture.save(sink, "PNG", compress_level=3)
    return sink.getvalue()
