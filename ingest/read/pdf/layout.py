"""From the lines of all pages to blocks: paragraphs, headings by size and weight, lists, tables, code."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from ingest.read.blocks import Block, PlacedWord
from ingest.read.pdf.lines import Line
from ingest.read.pdf.repeats import without_repeats
from ingest.read.pdf.tables import Grid, split_tables
from ragapp.types import ElementKind

_BULLET = re.compile(r"^[•‣◦▪●○■□–\-*·➢✓\uf0b7\uf0a7](?=\s|$)")
_NUMBERED = re.compile(r"^(?:\(?\d{1,3}[.)]|\(?[a-z][.)]|\[\d{1,3}\]|[ivx]{1,5}[.)])\s")
_SECTION = re.compile(r"^(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+\S")
_LARGER = 1.12
"""Times the body's height from which a line's letters read as a heading's."""
_LOOSE = 1.2
"""Times the usual distance of lines from which a new paragraph begins."""
_NEAR = 8.0
"""Points within which lines count as beginning at one place."""
_LONGEST_TITLE = 160
_ENDS = (".", ":", "!", "?", ";")


@dataclass(frozen=True, slots=True)
class Style:
    """What is usual in a document, to tell the unusual from."""

    body: float
    """Height of the body's lines in points."""
    pitch: float
    """Usual distance of lines in a paragraph, in line heights."""
    titles: tuple[float, ...]
    """Heights that only headings have, largest first."""
    vocabulary: Counter[str]
    """Words of the document in lower case, to tell a hyphen that divides from one that joins."""


def blocks_of_pages(pages: Sequence[list[Line]], sizes: Sequence[tuple[float, float]]) -> Iterator[Block]:
    """Blocks of all pages in order. What repeats at the head or foot of pages is kept once."""
    kept, notes = without_repeats(pages, sizes)
    style = _style(kept)
    tables = 0
    for number, lines in enumerate(kept, start=1):
        for note in notes.get(number, ()):
            yield _block("note", [note], number, style)
        for part in split_tables(lines):
            if isinstance(part, Grid):
                tables += 1
                yield from part.blocks(tables, number)
            else:
                yield from _prose(part, number, style)


def _style(pages: Sequence[list[Line]]) -> Style:
    heights: Counter[float] = Counter()
    pitches: list[float] = []
    words: Counter[str] = Counter()
    for lines in pages:
        for line in lines:
            heights[round(line.size * 2) / 2] += sum(len(word.text) for word in line.words)
            words.update(word.text.strip(".,;:()\"'").lower() for word in line.words if not word.hyphen)
        for above, line in pairwise(lines):
            pitch = (line.y1 - above.y1) / max(above.size, 1.0)
            if 0.5 < pitch < 2.5 and abs(line.size - above.size) < 0.1 * above.size:
                pitches.append(pitch)
    body = heights.most_common(1)[0][0] if heights else 0.0
    larger = sorted({height for height in heights if height > body * _LARGER}, reverse=True)
    return Style(body, median(pitches) if pitches else 1.2, tuple(_merged(larger)), words)


def _merged(heights: list[float]) -> Iterator[float]:
    """Heights that differ by rounding only, as one."""
    last = 0.0
    for height in heights:
        if not last or height < last * 0.95:
            last = height
            yield height


def _prose(lines: list[Line], page: int, style: Style) -> Iterator[Block]:
    group: list[Line] = []
    edges = _edges(lines)
    for line in lines:
        if group and _starts_anew(group, line, style, edges):
            yield from _finished(group, page, style)
            group = []
        group.append(line)
    if group:
        yield from _finished(group, page, style)


def _finished(group: list[Line], page: int, style: Style) -> Iterator[Block]:
    if group[0].fixed and len(group) > 1:
        yield _code(group, page)
    elif level := _title_level(group, style):
        yield _block("title", group, page, style, level)
    else:
        text = group[0].text
        kind: ElementKind = "list_item" if _BULLET.match(text) or _NUMBERED.match(text) else "text"
        yield _block(kind, group, page, style)


def _starts_anew(group: list[Line], line: Line, style: Style, edges: dict[int, float]) -> bool:
    above = group[-1]
    if above.fixed and line.fixed:
        return line.y1 < above.y1 or line.y1 - above.y1 > 3 * above.size
    if line.fixed != above.fixed and (line.fixed or len(group) > 1):
        return True
    if line.y1 < above.y0:
        return not _runs_on(above, line)
    heading = min(above.size, line.size) > _LARGER * style.body
    if line.y1 - above.y1 > (1.7 if heading else _LOOSE) * style.pitch * max(above.size, style.body):
        return True
    if abs(line.size - above.size) > 0.12 * max(above.size, line.size) and _really_differs(above, line):
        return True
    if line.bold != above.bold and (_is_short(above, group) or _is_short(line, group)):
        return True
    text = line.text
    if _BULLET.match(text) or _NUMBERED.match(text):
        return True
    first = group[0]
    inset = line.x0 - above.x0
    ended = above.text.endswith(_ENDS)
    if inset > 0.8 * line.size and ended and not _BULLET.match(first.text):
        return True
    return ended and above.x1 < first.x0 + 0.8 * (edges[round(above.x0 / _NEAR)] - first.x0)


def _edges(lines: list[Line]) -> dict[int, float]:
    """How far right the lines that begin at one place reach, as far as most long ones do."""
    reached: dict[int, list[float]] = defaultdict(list)
    for line in lines:
        reached[round(line.x0 / _NEAR)].append(line.x1)
    return {place: sorted(ends)[int(0.9 * (len(ends) - 1))] for place, ends in reached.items()}


def _runs_on(above: Line, line: Line) -> bool:
    """Whether a paragraph goes on at the head of the next column."""
    return not above.text.endswith(_ENDS) and line.text[:1].islower() and abs(line.size - above.size) < 0.1 * line.size


def _really_differs(above: Line, line: Line) -> bool:
    """A raised mark makes a line taller, and one large letter too; most of the words must differ."""
    return abs(_usual(above) - _usual(line)) > 0.12 * max(_usual(above), _usual(line))


def _usual(line: Line) -> float:
    return median(word.box.y1 - word.box.y0 for word in line.words)


def _is_short(line: Line, group: list[Line]) -> bool:
    widest = max(each.x1 - each.x0 for each in group)
    return line.x1 - line.x0 < 0.9 * widest or len(line.text) < 80


def _title_level(group: list[Line], style: Style) -> int:
    text = " ".join(line.text for line in group)
    if len(text) > _LONGEST_TITLE or len(group) > 3 or not any(character.isalpha() for character in text):
        return 0
    if _BULLET.match(text) or len(text) < 2:
        return 0
    height = median(_usual(line) for line in group)
    for level, title in enumerate(style.titles, start=1):
        if height >= title * 0.96:
            return min(level, 6)
    bold = all(line.bold for line in group)
    if bold and not text.endswith((".", ",", ";")) and height >= 0.95 * style.body:
        section = _SECTION.match(text)
        depth = section.group(1).count(".") if section else 0
        return min(6, len(style.titles) + 1 + depth)
    return 0


def _block(kind: ElementKind, lines: list[Line], page: int, style: Style, level: int = 0) -> Block:
    """The lines joined: a blank between words, nothing where a hyphen divided one."""
    parts: list[str] = []
    placed: list[PlacedWord] = []
    position = 0
    words = [word for line in lines for word in line.words]
    for number, word in enumerate(words):
        shown = word.text
        after = words[number + 1] if number + 1 < len(words) else None
        joined = word.hyphen and after is not None
        if word.hyphen and (after is None or _keeps_hyphen(shown, after.text, style.vocabulary)):
            shown += "-"
        placed.append(PlacedWord(position, position + len(shown), word.box))
        gap = "" if joined or after is None else " "
        parts += (shown, gap)
        position += len(shown) + len(gap)
    return Block(kind, "".join(parts), level, page, words=tuple(placed))


def _keeps_hyphen(before: str, after: str, vocabulary: Counter[str]) -> bool:
    """Whether "worst" and "case" are "worst-case", where "com" and "puter" are "computer": as the rest of the document
    writes it; else both parts must be words of the document."""
    first, second = before.lower().lstrip("(\"'"), after.lower().rstrip(".,;:)\"'")
    if vocabulary[first + second]:
        return False
    if vocabulary[f"{first}-{second}"]:
        return True
    if not after[:1].islower() or not before[-1:].isalpha():
        return True
    return len(first) > 3 and len(second) > 3 and vocabulary[first] > 0 and vocabulary[second] > 0


def hidden_block(lines: list[Line], page: int) -> Block:
    """The words of a page that its reader doesn't see, as one block."""
    return replace(_block("text", lines, page, Style(0.0, 0.0, (), Counter())), hidden=True)


def _code(lines: list[Line], page: int) -> Block:
    """Lines of a fixed pitch with their breaks and insets."""
    letters = sum(len(word.text) for line in lines for word in line.words)
    width = sum(word.box.x1 - word.box.x0 for line in lines for word in line.words) / max(letters, 1) or 1.0
    left = min(line.x0 for line in lines)
    parts: list[str] = []
    placed: list[PlacedWord] = []
    position = 0
    for number, line in enumerate(lines):
        lead = ("\n" if number else "") + (" " * min(60, round((line.x0 - left) / width)) if number else "")
        for word in line.words:
            shown = word.text + ("-" if word.hyphen else "")
            start = position + len(lead)
            placed.append(PlacedWord(start, start + len(shown), word.box))
            parts += (lead, shown)
            position, lead = start + len(shown), " "
    return Block("code", "".join(parts), 0, page, words=tuple(placed))
