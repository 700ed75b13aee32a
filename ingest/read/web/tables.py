"""Tables of HTML: which hold data and which only lay out a page, and their rows with spans filled in."""

from __future__ import annotations

from typing import Any

from ingest.read.tables import Repeats

_LAYOUT = frozenset("table h1 h2 h3 h4 h5 h6 pre ul ol article section form blockquote".split())
_CELLS = ("td", "th")
_BREAKING = frozenset("br p div li tr td dd dt".split())
_WIDEST = 500
"""Columns; a colspan beyond this is a mistake or an attack."""
_LONGEST_CELL = 1500
"""Characters; longer cells hold a text of their own, and the table only places it."""


def is_data_table(table: Any) -> bool:
    """Whether a table's cells belong together in rows, rather than placing parts of a page."""
    if table.get("role") in ("presentation", "none"):
        return False
    widest, longest = 0, 0
    for element in table.iter():
        if element is table or not isinstance(element.tag, str):
            continue
        if element.tag in _LAYOUT:
            return False
        if element.tag == "tr":
            widest = max(widest, sum(child.tag in _CELLS for child in element))
        elif element.tag in _CELLS:
            longest = max(longest, sum(map(len, element.itertext())))
    return widest > 1 and longest <= _LONGEST_CELL


def table_rows(table: Any) -> tuple[list[list[str]], bool | None]:
    """Rows of cells, spans repeated in the cells they cover, with several header rows joined into one; and whether
    the first row is a header (None where the page doesn't say)."""
    rows: list[list[str]] = []
    heads: list[bool] = []
    pending: dict[int, tuple[int, str]] = {}
    repeats = Repeats()
    for line in table.iter("tr"):
        cells = [child for child in line if child.tag in _CELLS]
        if not cells:
            continue
        in_head = line.getparent() is not None and line.getparent().tag == "thead"
        heads.append(in_head or (all(cell.tag == "th" for cell in cells)))
        rows.append(_filled(cells, pending, repeats, is_head=heads[-1]))
    leading = next((number for number, head in enumerate(heads) if not head), len(heads))
    if leading == 0:
        first_column = bool(rows) and table.find(".//th") is not None
        return rows, False if first_column else None
    if leading == len(heads):
        return rows, None if leading > 1 else False
    names = [_joined([row[column] for row in rows[:leading] if column < len(row)]) for column in range(len(rows[0]))]
    return [names, *rows[leading:]], True


def _filled(cells: list[Any], pending: dict[int, tuple[int, str]], repeats: Repeats, *, is_head: bool) -> list[str]:
    row: list[str] = []

    def take_pending() -> None:
        while len(row) in pending:
            left, text = pending[len(row)]
            if left > 1:
                pending[len(row)] = (left - 1, text)
            else:
                del pending[len(row)]
            row.append(repeats.again(text))

    for cell in cells:
        take_pending()
        text = cell_text(cell)
        repeats.holds(text)
        down = _span(cell, "rowspan")
        for number in range(_span(cell, "colspan")):
            shown = text if number == 0 else repeats.again(text) if is_head else ""
            if down > 1:
                pending[len(row)] = (down - 1, shown)
            row.append(shown)
            if len(row) >= _WIDEST:
                break
    take_pending()
    return row


def cell_text(cell: Any) -> str:
    """The text of a cell with a blank wherever a line or paragraph ends."""
    from lxml import etree

    parts: list[str] = []
    for event, element in etree.iterwalk(cell, events=("start", "end")):
        if element.tag in _BREAKING:
            parts.append(" ")
        if event == "start" and element.tag not in ("script", "style"):
            parts += (element.get("alt", "") if element.tag == "img" else "", element.text or "")
        elif event == "end" and element is not cell:
            parts.append(element.tail or "")
    return "".join(parts)


def _span(cell: Any, name: str) -> int:
    value = (cell.get(name) or "1").strip()
    return min(max(1, int(value)), _WIDEST) if value.isdigit() and len(value) < 6 else 1


def _joined(names: list[str]) -> str:
    return " ".join(dict.fromkeys(shown for name in names if (shown := " ".join(name.split()))))
