"""Rows that say what they are: each cell with the name of its column, so that a row is understood alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest.read.blocks import Block, one_line
from ragapp.errors import Unreadable

Rows = Sequence[Sequence[str]]
_VALUE = re.compile(r"^[(<>~≈±+\-−–$€£¥\s]*\d[\d\s.,:/'’\-–−]*(?:[^\W\d_]{1,7}|[%€$£)°²³/]+)?[)]?$")
_LONGEST_NAME = 80
"""Characters; a longer cell is a sentence and names no column."""
MOST_COLUMNS = 16_384
"""As many as a sheet of Excel has."""
LONGEST_COVERED = 200
"""Characters of a merged head that each column under it repeats in its name."""
_NAMES_FACTOR = 16
_FREE = 1 << 18
"""Characters that every table may repeat, and how many more for each that it holds: the text that is made of a table
grows as the table does, however long its names are and however many its rows."""


def fits(columns: int) -> None:
    """Raises Unreadable for a row of more cells than are read."""
    if columns > MOST_COLUMNS:
        raise Unreadable(
            f"holds a table of {columns} columns, and {MOST_COLUMNS} are the most that are read, as many as Excel has"
        )


def names_that_fit(names: Sequence[str], rows: Rows) -> Sequence[str]:
    """The names as they are repeated in each row: whole, where that makes the table no more than some times longer,
    else their beginnings."""
    held = sum(map(len, names))
    repeated: Counter[int] = Counter()
    for row in rows:
        for column, cell in enumerate(row):
            if cell:
                held += len(cell)
                repeated[column] += 1
    room = _NAMES_FACTOR * held + _FREE
    for longest in (max(map(len, names), default=0), _LONGEST_NAME):
        if sum(times * min(len(names[at]), longest) for at, times in repeated.items() if at < len(names)) <= room:
            return [name[:longest] for name in names]
    return [name[: _LONGEST_NAME // 2] for name in names]


@dataclass(slots=True)
class Repeats:
    """What a table may say again in the cells that one of its cells covers."""

    factor: int = 4
    room: int = _FREE

    def holds(self, cell: str) -> None:
        """A cell's own text, which makes room for more."""
        self.room += self.factor * len(cell)

    def again(self, cell: str) -> str:
        """The cell's text once more; nothing where there is no room for it."""
        self.room -= len(cell) + 1
        return cell if self.room >= 0 else ""


def table_blocks(
    rows: Sequence[Sequence[str]], table: int, *, header: bool | None = None, page: int | None = None
) -> Iterator[Block]:
    """One block a row, `Product: Widget A | Price: 12.50 EUR`; cells joined by ` | ` where no header can be told.

    `header` says whether the first row names the columns, None where only its looks can tell.
    """
    lines = [line for row in rows if any(line := [one_line(cell) for cell in row])]
    if not lines:
        return
    fits(max(map(len, lines)))
    named = looks_like_header(lines) if header is None else header and bool(lines)
    if not named or len(lines) == 1:
        for line in lines:
            yield Block("table_row", bare_row(line), page=page, table=table)
        return
    body = lines[1:]
    names = names_that_fit(lines[0], body)
    if names != lines[0] or has_name_without_value(names, body):
        yield Block("table_row", bare_row(lines[0]), page=page, table=table)
    for line in body:
        yield Block("table_row", named_row(names, line), page=page, table=table)


def named_row(names: Sequence[str], cells: Sequence[str]) -> str:
    """The filled cells of a row, each behind its column's name where it has one."""
    pairs = []
    for column, cell in enumerate(cells):
        name = names[column].rstrip(":") if column < len(names) else ""
        if cell:
            pairs.append(f"{name}: {cell}" if name and name != cell else cell)
    return " | ".join(pairs)


def bare_row(cells: Sequence[str]) -> str:
    """The filled cells of a row."""
    return " | ".join(cell for cell in cells if cell)


def looks_like_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first of these rows names the columns: short, different, no figures, unlike what is below."""
    if len(rows) < 2 or len(rows[0]) < 2:
        return False
    names = [name for name in rows[0] if name]
    if len(names) < 2 or len(names) < len(rows[0]) - max(1, len(rows[0]) // 3):
        return False
    if len(set(names)) < len(names) or any(is_value(name) or len(name) > _LONGEST_NAME for name in names):
        return False
    return not _is_list_of_pairs(rows)


def is_value(cell: str) -> bool:
    """Whether a cell holds a number, an amount, a date or a formula rather than words."""
    if cell.startswith("=") and len(cell) > 1:
        return True
    return bool(_VALUE.match(cell)) and not (cell.isdigit() and len(cell) == 4 and cell[:2] in ("19", "20"))


def _is_list_of_pairs(rows: Sequence[Sequence[str]]) -> bool:
    """Two columns that read "name, value" in every row, the first one included."""
    if max(len(row) for row in rows) != 2:
        return False
    labels = [row[0] for row in rows]
    if labels[0].endswith(":"):
        return True
    values = [row[1] for row in rows[1:] if len(row) > 1 and row[1]]
    kinds = {is_value(value) for value in values}
    return len(kinds) == 2


def has_name_without_value(names: Sequence[str], body: Rows) -> bool:
    """Whether a column has a name and no cell; each cell is looked at once, however many names there are."""
    without = {column for column, name in enumerate(names) if name}
    for row in body:
        without.difference_update(column for column, cell in enumerate(row) if cell)
        if not without:
            return False
    return bool(without)


def under_one_header(rows: Sequence[Sequence[str]], depth: int) -> list[Sequence[str]]:
    """The table with its first `depth` rows joined into one of names, where merged cells are repeated already."""
    if depth < 2:
        return list(rows)
    width = max(map(len, rows[:depth]))
    names = []
    for column in range(width):
        said = [row[column] for row in rows[:depth] if column < len(row) and row[column]]
        names.append(" ".join(dict.fromkeys(one_line(each) for each in said)))
    return [names, *rows[depth:]]


def header_depth(rows: Sequence[Sequence[str]], merged: Sequence[bool]) -> int:
    """How many rows name the columns, told by looks: 0 or 1, and more where the upper ones hold merged cells.

    `merged` says of each row whether one of its cells goes over several columns or down into the next row.
    """
    if not rows:
        return 0
    depth = 1
    while depth < min(4, len(rows) - 1) and merged[depth - 1] and not any(is_value(cell) for cell in rows[depth]):
        depth += 1
    if depth > 1 and looks_like_header(under_one_header(rows, depth)):
        return depth
    return int(looks_like_header(rows))
