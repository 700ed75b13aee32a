"""Running heads and feet: what stands at the same edge of many pages is kept where it stands first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from ingest.read.pdf.lines import Line

_EDGE = 0.12
"""Share of the page's height at its head and foot in which running lines stand."""
_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(r"^\W*(?:(?:page|seite|p\.|página|pagina)\s*)?#(?:\s*(?:of|/|von|de|di|-)\s*#)?\W*$", re.I)
_WITH_PAGE = re.compile(r"(?:page|seite|página|pagina|p\.|[|–—/-])\s*\d+(?:\s*(?:of|/|von|de|di)\s*\d+)?\W*$")


def without_repeats(
    pages: Sequence[list[Line]], sizes: Sequence[tuple[float, float]]
) -> tuple[list[list[Line]], dict[int, list[Line]]]:
    """The pages without running heads, feet and page numbers; and, by page, the first of each head and foot."""
    places: dict[str, list[tuple[int, Line]]] = defaultdict(list)
    for number, lines in enumerate(pages, start=1):
        height = sizes[number - 1][1]
        for line in lines:
            if line.y1 < _EDGE * height or line.y0 > (1 - _EDGE) * height:
                places[_key(line)].append((number, line))
    filled = sum(bool(lines) for lines in pages)
    dropped: set[int] = set()
    notes: dict[int, list[Line]] = defaultdict(list)
    for key, found in places.items():
        if len({number for number, _ in found}) < max(2, 0.4 * filled) or not _at_one_place(found):
            continue
        if len({line.text for _, line in found}) > 1 and not _counts_pages(found):
            continue
        dropped |= {id(line) for _, line in found}
        if not _PAGE_NUMBER.match(key):
            notes[found[0][0]].append(found[0][1])
    kept = [[line for line in lines if id(line) not in dropped] for lines in pages]
    return kept, dict(notes)


def _counts_pages(found: list[tuple[int, Line]]) -> bool:
    """Whether lines that differ in their figures only differ by the page's number, set apart from what repeats."""
    offsets = set()
    for number, line in found:
        words = [word.text for word in line.words]
        cells = line.cells()
        apart = len(cells) > 1 and (cells[0].text.isdigit() or cells[-1].text.isdigit())
        if not (apart or _WITH_PAGE.search(line.text.lower()) or _PAGE_NUMBER.match(_key(line))):
            return False
        figures = [int(word) for word in (words[0], words[-1]) if word.isdigit() and len(word) < 6]
        offsets.add(figures[-1] - number if figures else None)
    return len(offsets) == 1 or all(_PAGE_NUMBER.match(_key(line)) for _, line in found)


def _key(line: Line) -> str:
    return _DIGITS.sub("#", line.text.lower())


def _at_one_place(found: list[tuple[int, Line]]) -> bool:
    """Whether the lines stand at the same height, as body text that happens to repeat does not."""
    first = found[0][1]
    return sum(abs(line.y0 - first.y0) < max(first.size, 4.0) for _, line in found) > 0.7 * len(found)
