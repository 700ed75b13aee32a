"""Delimited text: a row says what it is, with the names of its columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from ingest.read.blocks import Block, Draft, block, clean, one_line
from ingest.read.tables import bare_row, is_value, table_blocks

_CURRENCY = re.compile(r"""\[\$([^\]\-]+)[^\]]*\]|"([^"]*)"|([$€£¥])""")
_WIDEST_FIELD = 1 << 26
_DELIMITERS = ",;\t|"


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


def _captions(rows: list[list[str]]) -> tuple[list[Block], list[list[str]]]:
    """Lines of one cell above a wider table, as text; and the table."""
    first = next((number for number, row in enumerate(rows) if sum(map(bool, row)) > 1), 0)
    return [piece for row in rows[:first] for piece in block("text", bare_row(row))], rows[first:]


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
