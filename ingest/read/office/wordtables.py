"""Tables of a Word document as rows of cells: merged cells filled in, tables inside cells kept with their row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ingest.read.blocks import Block, one_line
from ingest.read.office.wordstyles import W
from ingest.read.office.wordtree import marked
from ingest.read.tables import (
    LONGEST_COVERED,
    MOST_COLUMNS,
    Repeats,
    fits,
    header_depth,
    looks_like_header,
    named_row,
    names_that_fit,
    table_blocks,
    under_one_header,
)

_WIDEST = 500
"""Columns; a span beyond this is a mistake or an attack."""
_DEEPEST = 8
_MOST_HEADS = 4


def word_table(table: Any, number: int, page: int | None) -> Iterator[Block]:
    """The rows of a table (a w:tbl element) as blocks, each under the names of its columns."""
    grid = _grid(table, 0)
    if not grid.rows:
        return
    # in a head each column needs the name above it; a value that is said once is not repeated
    named = [*map(grid.spread, range(min(_MOST_HEADS, len(grid.rows)))), *grid.rows[_MOST_HEADS:]]
    depth = grid.heads or _bold_rows(table) or header_depth(named, grid.merged)
    rows = [*map(grid.spread, range(depth)), *grid.rows[depth:]] if depth < len(grid.rows) else grid.rows
    depth = depth if depth < len(rows) else 0
    yield from table_blocks(under_one_header(rows, depth), number, header=depth > 0, page=page)


@dataclass(frozen=True, slots=True)
class _Grid:
    """A table's cells by column; what a cell says that covers several columns stands in the first of them."""

    rows: list[list[str]]
    merged: list[bool]
    """Whether a row holds cells that cover several columns or rows."""
    heads: int
    """How many rows Word repeats on each page as the table's head."""
    widths: dict[tuple[int, int], int]

    def spread(self, number: int) -> list[str]:
        """A row with each cell repeated in all the columns that it covers."""
        row = list(self.rows[number])
        for column, cell in enumerate(self.rows[number]):
            for covered in range(column + 1, min(len(row), column + self.widths.get((number, column), 1))):
                row[covered] = cell[:LONGEST_COVERED]
        return row


def _grid(table: Any, depth: int) -> _Grid:
    lines = list(table.iterchildren(f"{W}tr"))
    heads = 0
    for line in lines:
        told = line.find(f"{W}trPr/{W}tblHeader")
        if told is None or told.get(f"{W}val") in ("0", "false", "off"):
            break
        heads += 1
    rows: list[list[str]] = []
    merged: list[bool] = []
    above: dict[int, str] = {}
    repeats = Repeats()
    widths: dict[tuple[int, int], int] = {}
    for number, line in enumerate(lines):
        row = [""] * min(_WIDEST, _number(line.find(f"{W}trPr/{W}gridBefore"), 0))
        merged.append(False)
        for cell in line.iterchildren(f"{W}tc"):
            properties = cell.find(f"{W}tcPr")
            wide = min(_WIDEST, _number(properties.find(f"{W}gridSpan"), 1) if properties is not None else 1)
            down = properties.find(f"{W}vMerge") if properties is not None else None
            column = len(row)
            goes_on = down is not None and down.get(f"{W}val") != "restart"
            text = repeats.again(above.get(column, "")) if goes_on else _cell(cell, depth)
            repeats.holds("" if goes_on else text)
            if down is not None:
                above[column] = text
            merged[-1] = merged[-1] or wide > 1 or (down is not None and not goes_on)
            widths[number, column] = wide
            row += [text, *([""] * (wide - 1))]
            if len(row) > MOST_COLUMNS:
                fits(max(len(row), len(list(line.iterchildren(f"{W}tc")))))
        rows.append(row)
    return _Grid(rows, merged, heads, widths)


def _cell(cell: Any, depth: int) -> str:
    parts: list[str] = []
    for child in cell:
        if child.tag == f"{W}p":
            parts.append(paragraph_text(child))
        elif child.tag == f"{W}tbl" and depth < _DEEPEST:
            parts.append(_inner(child, depth + 1))
    return one_line(" ".join(part for part in parts if part.strip()))


def _inner(table: Any, depth: int) -> str:
    """A table inside a cell, on one line: its rows set apart by semicolons."""
    grid = _grid(table, depth)
    rows = [[one_line(cell) for cell in row] for row in grid.rows if any(row)]
    if len(rows) > 1 and (grid.heads or looks_like_header(rows)):
        names = names_that_fit(rows[0], rows[1:])
        return "; ".join(named_row(names, row).replace(" | ", ", ") for row in rows[1:])
    return "; ".join(", ".join(cell for cell in row if cell) for row in rows)


def paragraph_text(lines: Any) -> str:
    """The text of a paragraph's runs, with tabs and line breaks as blanks."""
    parts: list[str] = []
    for element in lines.iter(f"{W}t", f"{W}tab", f"{W}br", f"{W}cr", f"{W}noBreakHyphen"):
        if element.getparent().tag != f"{W}r":
            continue
        if element.tag == f"{W}t":
            parts.append(marked(element.text or "")[1])
        else:
            parts.append("-" if element.tag == f"{W}noBreakHyphen" else " ")
    return "".join(parts)


def _bold_rows(table: Any) -> int:
    """1 where every word of the first row is bold and not of the second."""
    lines = list(table.iterchildren(f"{W}tr"))[:2]
    if len(lines) < 2:
        return 0
    first, second = (_is_bold(line) for line in lines)
    cells = [paragraph_text(cell) for cell in lines[0].iterchildren(f"{W}tc")]
    return int(first and not second and len([cell for cell in cells if cell.strip()]) > 1)


def _is_bold(line: Any) -> bool:
    runs = [run for run in line.iter(f"{W}r") if any((t.text or "").strip() for t in run.iter(f"{W}t"))]
    bold = [run.find(f"{W}rPr/{W}b") for run in runs]
    return bool(bold) and all(b is not None and b.get(f"{W}val") not in ("0", "false", "off") for b in bold)


def _number(element: Any, default: int) -> int:
    value = (element.get(f"{W}val") or "") if element is not None else ""
    return int(value) if value.isdigit() and len(value) < 8 else default
