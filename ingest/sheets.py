"""Spreadsheets and delimited text: a row says what it is, with the names of its columns.

unstructured cuts a sheet into islands of cells and renders them without their number formats (12.5 for 12.50 EUR,
0.19 for 19%), so the cells are read here.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Any, BinaryIO

from ingest.blocks import Block, Draft, block, clean, one_line
from ingest.tables import bare_row, is_value, looks_like_header, table_blocks

_CURRENCY = re.compile(r"""\[\$([^\]\-]+)[^\]]*\]|"([^"]*)"|([$€£¥])""")
_WIDEST_FIELD = 1 << 26
_DELIMITERS = ",;\t|"


def read_xlsx(file: BinaryIO) -> Draft:
    """Blocks of a workbook: a title for each sheet, a row for each row, values as the sheet shows them."""
    import openpyxl

    book = openpyxl.load_workbook(file, data_only=True, read_only=True, keep_links=False)
    try:
        blocks: list[Block] = []
        tables = 0
        for sheet in book.worksheets:
            if not hasattr(sheet, "reset_dimensions"):
                continue
            # a stated size of a million rows by 16,384 columns would be filled with empty cells
            sheet.reset_dimensions()
            rows = [[_shown(cell) for cell in row] for row in sheet.iter_rows()]
            found = list(_sheet(rows, tables))
            tables += len(rows)
            if found:
                blocks += (*block("title", one_line(sheet.title), level=1), *found)
        return Draft(tuple(blocks), book.properties.title or "", titled_parts=True)
    finally:
        book.close()


def _sheet(rows: Sequence[Sequence[str]], tables: int) -> Iterator[Block]:
    """The tables of a sheet, set apart by empty rows; lines of one cell above a table are text."""
    group: list[list[str]] = []
    names: list[str] = []
    for row in [*rows, []]:
        if any(row):
            group.append([one_line(cell) for cell in row])
        elif group:
            tables += 1
            captions, group = _captions(group)
            yield from captions
            if group and looks_like_header(_trimmed(group)):
                names = group[0]
                yield from table_blocks(group, tables, header=True)
            elif group and names and _fits_under(names, group):
                yield from table_blocks([names, *group], tables, header=True)
            else:
                yield from table_blocks(group, tables, header=False)
                if group and sum(map(bool, group[-1])) > 1 and not any(is_value(cell) for cell in group[-1]):
                    names = group[-1]
            group = []


def _captions(rows: list[list[str]]) -> tuple[list[Block], list[list[str]]]:
    """Lines of one cell above a wider table, as text; and the table."""
    first = next((number for number, row in enumerate(rows) if sum(map(bool, row)) > 1), 0)
    return [piece for row in rows[:first] for piece in block("text", bare_row(row))], rows[first:]


def _trimmed(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Rows without the columns that are empty in all of them."""
    width = max(map(len, rows))
    used = [column for column in range(width) if any(column < len(row) and row[column] for row in rows)]
    return [[row[column] if column < len(row) else "" for column in used] for row in rows]


def _fits_under(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether rows after an empty one go on with the table above: every filled cell stands under a name."""
    return all(
        column == 0 or (column < len(names) and names[column])
        for row in rows
        for column, cell in enumerate(row)
        if cell
    ) and any(is_value(cell) for row in rows for cell in row)


def _shown(cell: Any) -> str:
    """A cell's value as the sheet shows it: dates without a midnight, percentages, decimals and currency signs."""
    value, shape = cell.value, getattr(cell, "number_format", None) or "General"
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.isoformat("minutes")
    if isinstance(value, int | float):
        return _number(value, shape.split(";")[0])
    return str(value)


def _number(value: float, shape: str) -> str:
    if shape == "General" or not re.search(r"[0#]", shape):
        return f"{value:.10g}" if isinstance(value, float) else str(value)
    point = re.search(r"[0#]\.([0#?]+)", shape)
    places = len(point.group(1)) if point else 0
    if "%" in shape:
        return f"{value * 100:.{places}f}%"
    if re.search(r"E[+-]", shape):
        return f"{value:.{places}E}"
    number = f"{value:.{places}f}"
    sign = _CURRENCY.search(shape)
    unit = next((part for part in sign.groups() if part and part.strip()), "") if sign else ""
    return f"{number} {unit.strip()}" if unit else number


def read_delimited(text: str, delimiter: str | None = None) -> Draft:
    """Blocks of CSV or TSV: the delimiter and the header are told from the text where they aren't given."""
    text = clean(text)
    csv.field_size_limit(_WIDEST_FIELD)
    if delimiter is None or delimiter not in text[:10_000]:
        delimiter = _delimiter(text)
    rows = [[one_line(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)]
    rows = [row for row in rows if any(row)]
    if not rows:
        return Draft(())
    captions, rows = _captions(rows)
    header = len(rows) > 1 and _names_columns(rows)
    return Draft((*captions, *table_blocks(rows, 1, header=header)))


def _delimiter(text: str) -> str:
    """The mark that splits the first lines into the most equal, and then the most, columns."""
    lines = [line for line in text[:50_000].split("\n")[:30] if line.strip()]

    def evenness(mark: str) -> tuple[float, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=mark)]
        commonest = max(set(widths), key=widths.count) if widths else 1
        return (widths.count(commonest) / len(widths) if commonest > 1 else 0.0, commonest)

    best = max(_DELIMITERS, key=evenness)
    return best if evenness(best)[0] else "\x1f"


def _names_columns(rows: Sequence[Sequence[str]]) -> bool:
    """Delimited files start with names; only a first row of numbers, dates or repeated cells says otherwise."""
    first = rows[0]
    return len(set(first)) > max(1, len(first) / 2) and sum(map(is_value, first)) <= 0.3 * len(first)
