"""Tables of a PDF, told by gaps that stand under one another, as rows that name their columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.read.blocks import Block, PlacedWord
from ingest.read.pdf.lines import Line
from ingest.read.tables import looks_like_header

_FEWEST_ROWS = 2
_MOST_COLUMNS = 256
"""Of a table; each cell is looked for under each column, and a page has no room for more."""
_PROSE = 6
"""Words a cell, on average, from which two columns are two columns of prose."""


_NAME = re.compile(r"^[^\W\d_a-z][^\W\d_]*(?:[ /,-]+[^\W\d_]+)*$")
"""Words and nothing else, the first with a capital."""
_YEAR = re.compile(r"^(?:19|20)\d\d\b(?![.,]\d)")


@dataclass(slots=True)
class Grid:
    """Rows of cells; each cell is the lines that stand in one column of one row."""

    rows: list[list[list[Line]]]

    def blocks(self, table: int, page: int) -> Iterator[Block]:
        """One block a row, `Name: cell | Name: cell`; only the row's own words have boxes."""
        texts = [[" ".join(line.text for line in cell) for cell in row] for row in self.rows]
        named = looks_like_header(texts) and self._sets_off_its_head(texts)
        for number, row in enumerate(self.rows):
            if not (named and number == 0):
                yield _row(row, texts[0] if named else [], table, page)

    def _sets_off_its_head(self, texts: list[list[str]]) -> bool:
        """Whether the first row differs from the others: bold above plain, or words above a column of figures."""
        names, body = texts[0], texts[1:]
        bold = [all(line.words[0].bold is not False for cell in row for line in cell) for row in self.rows]
        known = any(word.bold for cell in self.rows[0] for line in cell for word in line.words)
        if known and bold[0] and not all(bold):
            return True
        columns = [[row[column] for row in body if row[column]] for column in range(len(names))]
        figures = [bool(cells) and sum(map(_begins_with_figure, cells)) >= 0.6 * len(cells) for cells in columns]
        if any(figures) and not any(_begins_with_figure(name) and not _YEAR.match(name) for name in names):
            return True
        longer = sum(
            bool(cells) and sum(map(len, cells)) > len(cells) * len(name)
            for name, cells in zip(names, columns, strict=True)
        )
        return len(body) > 1 and all(map(_NAME.match, names)) and longer >= len(names) / 2


def _begins_with_figure(cell: str) -> bool:
    return cell.lstrip("+-−–~<>≈€$£ ")[:1].isdigit()


def _row(cells: list[list[Line]], names: list[str], table: int, page: int) -> Block:
    text = ""
    placed: list[PlacedWord] = []
    for column, cell in enumerate(cells):
        if not cell:
            continue
        name = names[column].rstrip(":") if column < len(names) else ""
        text += (" | " if text else "") + (f"{name}: " if name else "")
        words = [word for line in cell for word in line.words]
        for number, word in enumerate(words):
            shown = word.text + ("-" if word.hyphen else "")
            text += "" if number == 0 or words[number - 1].hyphen else " "
            placed.append(PlacedWord(len(text), len(text) + len(shown), word.box))
            text += shown
    return Block("table_row", text, 0, page, table, tuple(placed))


def split_tables(lines: list[Line]) -> Iterator[list[Line] | Grid]:
    """Runs of lines and the tables between them, in order."""
    prose: list[Line] = []
    index = 0
    while index < len(lines):
        found = _table_at(lines, index)
        if found is None:
            prose.append(lines[index])
            index += 1
            continue
        part, index = found
        if isinstance(part, Grid):
            if prose:
                yield prose
            yield part
            prose = []
        else:
            prose += part
    if prose:
        yield prose


def _table_at(lines: list[Line], start: int) -> tuple[Grid | list[Line], int] | None:
    first = lines[start].cells()
    if not 2 <= len(first) <= _MOST_COLUMNS or lines[start].fixed:
        return None
    columns = [[cell.x0, cell.x1] for cell in first]
    rows = [[[cell] for cell in first]]
    widest = 0.0
    index = start + 1
    while index < len(lines):
        line, above = lines[index], lines[index - 1]
        cells = line.cells()
        if (
            len(cells) > _MOST_COLUMNS
            or line.fixed
            or line.y1 < above.y0
            or line.y1 - above.y1 > 3.2 * max(above.size, line.size)
        ):
            break
        places = [_column(columns, cell) for cell in cells]
        if None in places or len(set(places)) < len(places):
            break
        if len(cells) < 2 and not _continues(line, above, places[0], rows[-1], widest):
            break
        pitch = line.y1 - above.y1
        if pitch < 0.8 * widest or (places[0] != 0 and pitch < 1.5 * line.size):
            for place, cell in zip(places, cells, strict=True):
                rows[-1][place or 0].append(cell)
        else:
            widest = max(widest, pitch)
            row: list[list[Line]] = [[] for _ in columns]
            for place, cell in zip(places, cells, strict=True):
                row[place or 0].append(cell)
            rows.append(row)
        for place, cell in zip(places, cells, strict=True):
            column = columns[place or 0]
            column[0], column[1] = min(column[0], cell.x0), max(column[1], cell.x1)
        index += 1
    full = sum(sum(map(bool, row)) > 1 for row in rows)
    if _is_prose(rows):
        return [line for column in range(len(columns)) for row in rows for line in row[column]], index
    return (Grid(rows), index) if full >= _FEWEST_ROWS else None


def _column(columns: list[list[float]], cell: Line) -> int | None:
    """The one column that a cell stands under; None where it stands under several or none."""
    under = [number for number, (left, right) in enumerate(columns) if cell.x0 < right + 2 and cell.x1 > left - 2]
    return under[0] if len(under) == 1 else None


def _continues(line: Line, above: Line, place: int | None, row: list[list[Line]], widest: float) -> bool:
    """Whether a lone cell goes on with the row above: close under it, in a column that the row fills."""
    if place is None or not row[place]:
        return False
    pitch = line.y1 - above.y1
    return pitch < 0.8 * widest or (place > 0 and pitch < 1.5 * line.size)


def _is_prose(rows: list[list[list[Line]]]) -> bool:
    words = [sum(len(line.words) for line in cell) / len(cell) for row in rows for cell in row if cell]
    return len(rows[0]) == 2 and len(rows) > 2 and sum(words) / len(words) > _PROSE
