"""From a page's words to its lines, and each line to the cells that wide gaps set apart."""

from __future__ import annotations

from dataclasses import dataclass, field

from ragapp.types import Box

WIDE_GAP = 1.0
"""Gap between words, in line heights, that no word space reaches even in justified text."""


_BACK = 8
"""Lines of a table's cell that are looked back over."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """A word as pdfium gives it."""

    text: str
    box: Box
    breaks: bool
    """The first after a line break of pdfium's."""
    hyphen: bool
    """A hyphen that ended the line stood behind it."""
    bold: bool | None
    """Of the first and the last word of a line; None between them."""
    fixed: bool | None


@dataclass(slots=True)
class Line:
    """Words on one line of a page, left to right."""

    words: list[Glyphs] = field(default_factory=list)
    x0: float = 0.0
    y0: float = 0.0
    x1: float = 0.0
    y1: float = 0.0
    size: float = 0.0
    """Height of its tallest words, in points: a stand-in for the font size that scaling can't fool."""

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def bold(self) -> bool:
        return self.words[0].bold is not None and all(word.bold is not False for word in self.words)

    @property
    def fixed(self) -> bool:
        return self.words[0].fixed is not None and all(word.fixed is not False for word in self.words)

    def add(self, word: Glyphs) -> None:
        box = word.box
        if self.words:
            self.x0, self.y0 = min(self.x0, box.x0), min(self.y0, box.y0)
            self.x1, self.y1 = max(self.x1, box.x1), max(self.y1, box.y1)
        else:
            self.x0, self.y0, self.x1, self.y1 = box.x0, box.y0, box.x1, box.y1
        self.size = max(self.size, box.y1 - box.y0)
        self.words.append(word)

    def cells(self) -> list[Line]:
        """The line in parts, wherever a gap is too wide for a word space."""
        parts = [Line()]
        for word in self.words:
            part = parts[-1]
            if part.words and word.box.x0 - part.x1 > WIDE_GAP * max(self.size, 1.0):
                parts.append(part := Line())
            part.add(word)
        return parts


def lines_of(words: list[Glyphs]) -> list[Line]:
    """Lines in the order of the words; what pdfium broke off a line (a raised mark, a cell) goes on it."""
    lines: list[Line] = []
    line: Line | None = None
    for word in words:
        if line is None or word.breaks or _jumps(line, word):
            line = _beside(lines[-_BACK:], word)
            if line is None:
                lines.insert(_place(lines, word), line := Line())
        line.add(word)
    return lines


def _place(lines: list[Line], word: Glyphs) -> int:
    """Where a new line goes: at the end, but before a line that it stands a little above and to the right of, as the
    upper lines of a cell do whose neighbour stands at the row's foot."""
    place = len(lines)
    while place and len(lines) - place < _BACK and _is_upper_cell(lines[place - 1], word.box):
        place -= 1
    return place


def _is_upper_cell(line: Line, box: Box) -> bool:
    rise = line.y1 - box.y1
    return 0 < rise < 3 * line.size and box.x0 > line.words[0].box.x1


def _beside(lines: list[Line], word: Glyphs) -> Line | None:
    """The line that a word goes on with. A table whose cells have several lines comes cell by cell, so that the next
    cell begins beside a line some way back."""
    if lines and lines[-1].words[-1].hyphen:
        return None
    return next((line for line in reversed(lines) if _goes_on(line, word)), None)


def _goes_on(line: Line, word: Glyphs) -> bool:
    """Whether a word after a break stands beside the line, to its right, rather than under it."""
    box = word.box
    overlap = min(line.y1, box.y1) - max(line.y0, box.y0)
    smaller = min(line.y1 - line.y0, box.y1 - box.y0)
    return smaller > 0 and overlap > 0.5 * smaller and box.x0 > line.x1 - 0.3 * line.size


def _jumps(line: Line, word: Glyphs) -> bool:
    """Whether a word that pdfium put on the same line stands elsewhere: in another column, or a line above."""
    box = word.box
    tall = max(line.size, box.y1 - box.y0, 1.0)
    return box.y0 > line.y1 + 0.2 * tall or box.y1 < line.y0 - 0.2 * tall
