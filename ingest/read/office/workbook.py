"""Excel workbooks: each sheet's tables by rows, values as shown, and what a reader doesn't see marked as hidden.

unstructured cuts a sheet into islands of cells and renders them without their number formats (12.5 for 12.50 EUR, 0.19
for 19%), so the cells are read here. openpyxl streams them; what its streaming passes over (merged cells, hidden rows
and columns, formulas without a stored value, comments) is read from the same parts of the file beside it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from ingest.read.blocks import Block, Draft, block, one_line
from ingest.read.office.figures import parsed
from ingest.read.office.numberformats import shown
from ingest.read.office.sheettables import Merge, sheet_blocks
from ingest.read.tables import MOST_COLUMNS, bare_row, fits
from ragapp.errors import KeptOut, Unreadable

_S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_THREADED = re.compile(r"\A\[Threaded comment\].*?Comment:\s*", re.DOTALL)
_MOST_ROWS = 1_048_576
"""Rows that a sheet can have, by Excel's own limit."""
_MOST_BETWEEN = 1 << 22
"""Empty cells between those of a sheet's rows; only scattered cells have more, such as one at the end of each row."""


@dataclass(slots=True)
class _Facts:
    """What a sheet's XML says beside its values; rows and columns count from 0."""

    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    merges: list[Merge] = field(default_factory=list)
    unknown: dict[tuple[int, int], str] = field(default_factory=dict)
    """Formulas whose value the file doesn't hold."""


def read_xlsx(file: BinaryIO, limit: int) -> Draft:
    """Blocks of a workbook: a title for each sheet, a row for each row, values as the sheet shows them.

    Raises KeptOut as soon as the cells hold more than `limit` characters.
    """
    import openpyxl

    book = openpyxl.load_workbook(file, data_only=True, read_only=True, keep_links=False)
    try:
        blocks: list[Block] = []
        unseen, unknown, tables, room = 0, 0, 0, limit
        for sheet in book.worksheets:
            if not hasattr(sheet, "reset_dimensions"):
                continue
            facts = _facts(sheet)
            rows, size = _rows(sheet, facts, room)
            room -= size
            found = [*sheet_blocks(rows, tables, facts.merges, facts.hidden_rows, facts.hidden_columns)]
            found += _comments(sheet, rows, facts)
            tables += len(rows) + 1
            if sheet.sheet_state != "visible":
                found = [replace(piece, hidden=True) for piece in found]
            unseen += sum(piece.hidden for piece in found)
            unknown += len(facts.unknown)
            if found:
                title = block("title", one_line(sheet.title), level=1, hidden=sheet.sheet_state != "visible")
                blocks += (*title, *found)
        return Draft(
            tuple(blocks), book.properties.title or "", notes=tuple(_notes(unseen, unknown)), titled_parts=True
        )
    finally:
        book.close()


def _notes(unseen: int, unknown: int) -> Iterator[str]:
    if unseen:
        yield f"{unseen} hidden rows, columns or rows of hidden sheets are kept apart and never answered from"
    if unknown:
        yield f"{unknown} formulas have no stored value and are shown as formulas; open and save the file in Excel once"


def _rows(sheet: Any, facts: _Facts, room: int) -> tuple[list[list[str]], int]:
    formulas: dict[int, dict[int, str]] = {}
    for (number, column), formula in facts.unknown.items():
        formulas.setdefault(number, {})[column] = formula
    size = filled = places = 0
    rows: list[list[str]] = []
    for number, cells in _cells(sheet):
        if number >= _MOST_ROWS:
            raise Unreadable("is damaged: it states more rows than a sheet can have")
        said = {cell.column - 1: one_line(text) for cell in cells if (text := _shown(cell))}
        said = formulas.get(number, {}) | {column: text for column, text in said.items() if text}
        last = max(said, default=-1)
        fits(last + 1)
        filled, places = filled + len(said), places + last + 1
        if places - filled > max(_MOST_BETWEEN, 10 * filled):
            raise Unreadable(
                f"holds a sheet of {filled} cells so far apart that {places - filled} empty ones lie between them, "
                "more than are read; move them together"
            )
        if number >= len(rows):
            rows += [[] for _ in range(number + 1 - len(rows))]
        rows[number] = [said.get(column, "") for column in range(last + 1)]
        size += sum(map(len, said.values()))
        if size > room:
            raise KeptOut(f"holds more than {room / 2**20:.0f} MiB of text, the most (ingest.max_text_mib)")
    return rows, size


def _cells(sheet: Any) -> Iterator[tuple[int, list[Any]]]:
    """The cells that a sheet's rows hold, by the row's number from 0. openpyxl's own rows are filled up with empty
    ones, to the last column of each and over a million rows, so its parser of the file is asked itself."""
    from openpyxl.cell.read_only import ReadOnlyCell
    from openpyxl.worksheet._reader import WorkSheetParser

    book = sheet.parent
    with sheet._get_source() as source:
        parser = WorkSheetParser(
            source,
            sheet._shared_strings,
            data_only=book.data_only,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )
        before = 0
        for number, row in parser.parse():
            # a row that stands before one that was read is none that Excel wrote
            if number > before:
                yield number - 1, [ReadOnlyCell(sheet, **cell) for cell in row]
                before = number


def _shown(cell: Any) -> str:
    return "" if cell.value is None else shown(cell.value, getattr(cell, "number_format", None) or "General")


def _facts(sheet: Any) -> _Facts:
    from lxml import etree

    facts = _Facts()
    names = [f"{space}{name}" for space in (_S, _STRICT) for name in ("row", "col", "mergeCell")]
    hidden: list[tuple[int, int]] = []
    number = -1
    with sheet._get_source() as source:
        events = etree.iterparse(
            source, events=("end",), tag=names, resolve_entities=False, no_network=True, huge_tree=True
        )
        for _, element in events:
            kind = element.tag.rpartition("}")[2]
            if kind == "row":
                stated = element.get("r") or ""
                number = int(stated) - 1 if stated.isdigit() else number + 1
                if number >= _MOST_ROWS:
                    raise Unreadable("is damaged: it states more rows than a sheet can have")
                _note_row(element, number, facts)
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
            elif kind == "col" and element.get("hidden") in ("1", "true"):
                hidden.append((int(element.get("min", "1")) - 1, min(int(element.get("max", "1")), MOST_COLUMNS)))
            elif kind == "mergeCell":
                corners = _CELL.findall(element.get("ref") or "")
                if len(corners) == 2:
                    (left, top), (right, bottom) = corners
                    facts.merges.append(Merge(int(top) - 1, _column(left), int(bottom) - 1, _column(right)))
    # each column once: a hostile sheet hides all of them very often
    done = 0
    for first, last in sorted(hidden):
        facts.hidden_columns.update(range(max(first, done), last))
        done = max(done, last)
    return facts


def _note_row(row: Any, number: int, facts: _Facts) -> None:
    if row.get("hidden") in ("1", "true"):
        facts.hidden_rows.add(number)
    for formula in row.iter(f"{_S}f", f"{_STRICT}f"):
        cell = formula.getparent()
        place = _CELL.match(cell.get("r") or "")
        known = any(child.text or child.tag.endswith("}is") for child in cell if child.tag.endswith(("}v", "}is")))
        # a formula may well come to an empty text, and then says so
        if place and not known and cell.get("t") != "str":
            facts.unknown[number, _column(place.group(1))] = f"={formula.text}" if formula.text else "=formula"


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - 64
    return number - 1


def _comments(sheet: Any, rows: list[list[str]], facts: _Facts) -> Iterator[Block]:
    """The comments of a sheet's cells with their writers and what the cell shows."""
    from openpyxl.packaging.relationship import get_dependents, get_rels_path

    archive, path = sheet.parent._archive, sheet._worksheet_path.lstrip("/")
    relations = get_rels_path(path)
    if relations not in archive.namelist():
        return
    for relation in get_dependents(archive, relations):
        target = posixpath.normpath(relation.target.lstrip("/"))
        if not relation.Type.endswith("/comments") or target not in archive.namelist():
            continue
        root = parsed(archive.read(target))
        writers = ["".join(each.itertext()) for each in root.iter(f"{_S}author")]
        for comment in root.iter(f"{_S}comment"):
            place = _CELL.match(comment.get("ref") or "")
            said = one_line(_THREADED.sub("", "".join(t.text or "" for t in comment.iter(f"{_S}t"))))
            if not place or not said:
                continue
            number, column = int(place.group(2)) - 1, _column(place.group(1))
            cells = rows[number] if number < len(rows) else []
            index = comment.get("authorId") or ""
            writer = writers[int(index)] if index.isdigit() and int(index) < len(writers) else ""
            by = f" by {one_line(writer)}" if writer and not writer.startswith("tc=") else ""
            value = f" ({cells[column]})" if column < len(cells) and cells[column] else ""
            seen = ["" if at in facts.hidden_columns else cell for at, cell in enumerate(cells)]
            row = f", in the row {bare_row(seen)[:120]}" if sum(map(bool, seen)) > 1 else ""
            hidden = number in facts.hidden_rows or column in facts.hidden_columns
            yield from block("note", f"Comment{by} on {place.group()}{value}{row}: {said}", hidden=hidden)
