"""The tables of a sheet, wherever they stand in it: set apart by empty rows and columns, under titles, with merged
cells filled in, hidden rows and columns behind the visible ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ingest.read.blocks import Block, block
from ingest.read.tables import (
    LONGEST_COVERED,
    MOST_COLUMNS,
    Repeats,
    Rows,
    bare_row,
    fits,
    has_name_without_value,
    header_depth,
    is_value,
    looks_like_header,
    named_row,
    names_that_fit,
    under_one_header,
)

_DEEPEST_FILL = 10_000
"""Rows down which a merged cell is repeated."""
_LINES_ABOVE = 15
"""Rows above its names that a table may have: title, author, date of print."""
_WIDEST_MERGE = 500
"""Columns over which a merged cell is repeated."""
_MOST_BANDS = 12
_MOST_HEADS = 4
"""Rows that together name the columns."""
_FEW_NAMES = 2
"""With more names than these, a row of one cell is a heading or a remark of the table, and no value of a column."""
_SAMPLE = 40
"""Rows from which a table's looks are told."""


@dataclass(frozen=True, slots=True)
class Merge:
    """A merged cell by its corners, rows and columns from 0, both ends included."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows of a sheet that stand together, and where the first one stands."""

    first: int
    rows: list[list[str]]


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What is known of a sheet beside its cells' texts."""

    across: dict[tuple[int, int], int]
    """How many columns more a merged cell takes, by its row and column."""
    merged: set[int]
    """Rows that hold a merged cell."""
    hidden_rows: set[int]
    hidden_columns: set[int]


def sheet_blocks(
    rows: list[list[str]], tables: int, merges: Sequence[Merge], hidden_rows: set[int], hidden_columns: set[int]
) -> Iterator[Block]:
    """Blocks of a sheet's cells as shown; `tables` is how many tables the workbook had before. What is hidden comes
    last, so that it doesn't cut the rows apart."""
    fits(max(map(len, rows), default=0))
    _fill_down(rows, merges)
    across = _across(merges)
    sheet = _Sheet(across, {row for row, _ in across}, hidden_rows, hidden_columns)
    names: list[str] = []
    unseen: list[Block] = []
    for group in _groups(rows):
        for part in _side_by_side(group):
            tables += 1
            reader = _Table(part, tables, sheet)
            for piece in reader.blocks(names):
                if piece.hidden:
                    unseen.append(piece)
                else:
                    yield piece
            names = reader.names or names
    yield from unseen


def _across(merges: Sequence[Merge]) -> dict[tuple[int, int], int]:
    """How many columns more each merged cell takes, in the rows in which names may stand; no row has more than a sheet
    has columns, which those of a damaged or hostile file, that lie over one another, would."""
    across: dict[tuple[int, int], int] = {}
    taken: Counter[int] = Counter()
    for merge in merges:
        more = min(merge.right - merge.left, _WIDEST_MERGE)
        for row in range(merge.top, min(merge.bottom, merge.top + _LINES_ABOVE) + 1):
            taken[row] += more + 1
            if taken[row] <= MOST_COLUMNS:
                across[row, merge.left] = more
    return across


def _fill_down(rows: list[list[str]], merges: Sequence[Merge]) -> None:
    """Repeat what a merged cell says in the rows that it covers, so that each row stands for itself, as far as a table
    may repeat."""
    repeats = Repeats()
    for row in rows:
        for cell in row:
            repeats.holds(cell)
    for merge in merges:
        if repeats.room < 0:
            return
        above = rows[merge.top] if merge.top < len(rows) else []
        said = above[merge.left] if merge.left < len(above) else ""
        for row in rows[merge.top + 1 : min(merge.bottom, merge.top + _DEEPEST_FILL) + 1] if said else []:
            repeats.room -= max(1, merge.left + 1 - len(row))  # for having looked, and for the empty cells
            if any(row):
                row += [""] * (merge.left + 1 - len(row))
                row[merge.left] = row[merge.left] or repeats.again(said)


def _groups(rows: list[list[str]]) -> Iterator[_Group]:
    """Runs of rows without an empty one between them."""
    group = _Group(0, [])
    for number, row in enumerate([*rows, []]):
        if any(row):
            if not group.rows:
                group = _Group(number, [])
            group.rows.append(row)
        elif group.rows:
            yield group
            group = _Group(0, [])


def _side_by_side(group: _Group) -> list[_Group]:
    """Tables that stand beside each other with an empty column between, if each of them has names of its own."""
    used = sorted({column for row in group.rows for column, cell in enumerate(row) if cell})
    bands: list[tuple[int, int]] = []
    for column in used:
        if bands and bands[-1][1] == column - 1:
            bands[-1] = (bands[-1][0], column)
        else:
            bands.append((column, column))
    if len(bands) < 2 or len(bands) > _MOST_BANDS or any(first == last for first, last in bands):
        return [group]
    parts = []
    for first, last in bands:
        cells = [[*([""] * first), *row[first : last + 1]] for row in group.rows]
        filled = [number for number, row in enumerate(cells) if any(row)]
        cells = cells[filled[0] : filled[-1] + 1]
        if not any(looks_like_header(_trimmed(cells[start : start + _SAMPLE])) for start in range(min(3, len(cells)))):
            return [group]
        parts.append(_Group(group.first + filled[0], cells))
    return parts


class _Table:
    """One table of a sheet: the lines above its names, the names, its rows."""

    def __init__(self, group: _Group, number: int, sheet: _Sheet) -> None:
        self._group = group
        self._number = number
        self._sheet = sheet
        self.names: list[str] = []
        """The names of its columns, by column; empty where none were found."""

    def blocks(self, above: Sequence[str]) -> Iterator[Block]:
        """Its rows; `above` are the names of the table before, which it may go on with after an empty row."""
        rows = self._group.rows
        start = next((n for n, row in enumerate(rows) if sum(map(bool, row)) > 1), int(len(rows) == 1))
        at, depth = self._header(rows, start)
        for number, row in enumerate(rows[:at]):
            yield from self._above(number, row, rows)
        body = rows[at + depth :]
        if depth:
            self.names = [str(name) for name in under_one_header(self._spread(at, depth), depth)[0]]
            if has_name_without_value(self.names, body):
                yield self._row(at, bare_row(self._visible(self.names)))
        elif above and body and _fits_under(above, body):
            self.names = list(above)
        elif body and sum(map(bool, body[-1])) > 1 and not any(is_value(cell) for cell in body[-1]):
            self.names = self._names_apart(at + depth)
            yield from self._body(at + depth, body, [])
            return
        yield from self._body(at + depth, body, self.names)

    def _header(self, rows: list[list[str]], start: int) -> tuple[int, int]:
        """Where the names of the columns stand and in how many rows; depth 0 where there are none."""
        widest = max((sum(map(bool, row)) for row in rows[start : start + _SAMPLE]), default=0)
        for at in range(start, min(start + _LINES_ABOVE, len(rows) - 1)):
            if sum(map(bool, self._spread(at, 1)[0])) < max(2, 0.6 * widest):
                continue
            sample = _trimmed([*self._spread(at, 4), *rows[at + 4 : at + _SAMPLE]])
            merged = [self._group.first + at + n in self._sheet.merged for n in range(len(sample))]
            if depth := header_depth(sample, merged):
                return at, depth
        return start, 0

    def _spread(self, at: int, depth: int) -> list[list[str]]:
        """Some rows with each merged cell repeated in all the columns that it covers."""
        spread = []
        for number, row in enumerate(self._group.rows[at : at + depth], start=self._group.first + at):
            cells = list(row)
            for column, cell in enumerate(row):
                more = self._sheet.across.get((number, column), 0) if cell else 0
                cells += [""] * (column + more + 1 - len(cells))
                for covered in range(column + 1, column + more + 1):
                    cells[covered] = cells[covered] or cell[:LONGEST_COVERED]
            spread.append(cells)
        return spread

    def _names_apart(self, first: int) -> list[str]:
        """The names that end a group of words, for the rows that follow after an empty one, with the merged cells above
        them."""
        rows = self._group.rows
        start = len(rows) - 1
        while start > first and self._group.first + start - 1 in self._sheet.merged and len(rows) - start < _MOST_HEADS:
            start -= 1
        spread = self._spread(start, len(rows) - start)
        return [str(name) for name in under_one_header(spread, len(spread))[0]]

    def _above(self, number: int, row: list[str], rows: list[list[str]]) -> Iterator[Block]:
        hidden = self._group.first + number in self._sheet.hidden_rows
        filled = [cell for cell in row if cell]
        if len(filled) == 1:
            yield from block("text", filled[0], hidden=hidden)
        else:
            yield self._row(number, bare_row(row))

    def _body(self, first: int, rows: list[list[str]], names: Sequence[str]) -> Iterator[Block]:
        short = names_that_fit(names, rows)
        if short != list(names):
            yield self._row(first - 1, bare_row(self._visible(names)))
            names = short
        for number, row in enumerate(rows, start=first):
            seen = self._visible(row)
            if any(seen):
                alone = seen[0] and not any(seen[1:]) and sum(map(bool, names)) > _FEW_NAMES
                yield self._row(number, named_row(names, seen) if names and not alone else bare_row(seen))
            unseen = [cell if column in self._sheet.hidden_columns else "" for column, cell in enumerate(row)]
            if any(unseen):
                label = next((cell for cell in seen if cell), "")
                said = named_row(names, unseen) if names else bare_row(unseen)
                yield replace(self._row(number, f"{label} | {said}" if label else said), hidden=True)

    def _visible(self, row: Sequence[str]) -> list[str]:
        hidden = self._sheet.hidden_columns
        return ["" if column in hidden else cell for column, cell in enumerate(row)] if hidden else list(row)

    def _row(self, number: int, text: str) -> Block:
        return Block(
            "table_row", text, table=self._number, hidden=self._group.first + number in self._sheet.hidden_rows
        )


def _trimmed(rows: Rows) -> list[list[str]]:
    """Rows without the columns that are empty in all of them."""
    width = max(map(len, rows))
    used = [column for column in range(width) if any(column < len(row) and row[column] for row in rows)]
    return [[row[column] if column < len(row) else "" for column in used] for row in rows]


def _fits_under(names: Sequence[str], rows: Rows) -> bool:
    """Whether rows after an empty one go on with the table above: every filled cell stands under a name."""
    return all(
        column == 0 or (column < len(names) and names[column])
        for row in rows
        for column, cell in enumerate(row)
        if cell
    ) and any(is_value(cell) for row in rows for cell in row)
