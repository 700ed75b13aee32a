"""Workbooks as the sheet shows them."""

import io
from collections.abc import Callable
from datetime import datetime, timedelta

import openpyxl
import pytest
from openpyxl.comments import Comment

from ingest.read.office.numberformats import shown
from ragapp.errors import Unreadable
from ragapp.types import Extracted

Read = Callable[..., Extracted]
Rows = Callable[[Extracted], list[tuple[str, str]]]
Hidden = Callable[[Extracted], list[str]]


def saved(book: openpyxl.Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def workbook(*lines: list[object]) -> tuple[openpyxl.Workbook, openpyxl.worksheet.worksheet.Worksheet]:
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append(line)
    return book, book.active


def texts(rows: Rows, found: Extracted) -> list[str]:
    return [text for _, text in rows(found)]


@pytest.mark.parametrize(
    ("value", "shape", "expected"),
    [
        (1234.5, "#,##0.00", "1,234.50"),
        (1234.5, '#,##0.00\\ "€"', "1,234.50 €"),
        (1234.5, "[$€-407]\\ #,##0.00", "€ 1,234.50"),
        (-1234, "#,##0;(#,##0)", "(1,234)"),
        (-5.5, "0.0", "-5.5"),
        (0, '0;-0;"-"', "-"),
        (0.1925, "0.0%", "19.3%"),
        (2.675, "0.00", "2.68"),
        (7, "00000", "00007"),
        (1_500_000, '#,##0.0,,"M"', "1.5M"),
        (12345.678, "0.00E+00", "1.23E+04"),
        (12345678901234.0, "General", "12345678901234"),
        (0.1 + 0.2, "General", "0.3"),
        (True, "General", "TRUE"),
        (datetime(2024, 3, 1), "dd.mm.yyyy", "2024-03-01"),
        (datetime(2024, 3, 1), "mmm\\-yy", "March 2024"),
        (datetime(2024, 3, 1, 14, 30), "yyyy-mm-dd hh:mm", "2024-03-01 14:30"),
        (timedelta(hours=26, minutes=5), "[h]:mm", "26:05"),
        ("text", "@", "text"),
    ],
)
def test_values_are_shown_by_their_number_format(value: object, shape: str, expected: str) -> None:
    assert shown(value, shape) == expected


def test_a_table_is_found_wherever_it_stands_under_titles_and_merged_names(read: Read, rows: Rows) -> None:
    book, sheet = workbook()
    sheet["C3"] = "Report of sales"
    sheet.merge_cells("C3:F3")
    sheet["C4"], sheet["D4"] = "Printed by", "Ann"
    sheet["C5"], sheet["D5"], sheet["F5"] = "Site", "Price", "Since"
    sheet["D6"], sheet["E6"] = "EUR", "GBP"
    for merge in ("C5:C6", "D5:E5", "F5:F6"):
        sheet.merge_cells(merge)
    for column, value in zip("CDEF", ("Hull", 5, 4, datetime(2024, 3, 1)), strict=True):
        sheet[f"{column}7"] = value
    assert texts(rows, read("a.xlsx", saved(book)))[1:] == [
        "Report of sales",
        "Printed by | Ann",
        "Site: Hull | Price EUR: 5 | Price GBP: 4 | Since: 2024-03-01",
    ]


def test_a_cell_merged_over_rows_is_said_in_each(read: Read, rows: Rows) -> None:
    book, sheet = workbook(["Site", "Pump", "Price"], ["Hull", "A", 1], [None, "B", 2])
    sheet.merge_cells("A2:A3")
    assert texts(rows, read("a.xlsx", saved(book)))[1:] == [
        "Site: Hull | Pump: A | Price: 1",
        "Site: Hull | Pump: B | Price: 2",
    ]


def test_several_tables_on_a_sheet_keep_their_own_names(read: Read, rows: Rows) -> None:
    book, _ = workbook(["A", "B", None, "C", "D"], [1, 2, None, 3, 4], [], ["Name", "Age"], ["Ann", 40])
    assert texts(rows, read("a.xlsx", saved(book)))[1:] == ["A: 1 | B: 2", "C: 3 | D: 4", "Name: Ann | Age: 40"]


def test_hidden_sheets_rows_and_columns_are_marked_and_counted(read: Read, rows: Rows, hidden: Hidden) -> None:
    book, sheet = workbook(["Part", "Price", "Cost"], ["A", 5, 3], ["B", 6, 4], ["C", 7, 5])
    sheet.row_dimensions[3].hidden = True
    sheet.column_dimensions["C"].hidden = True
    secret = book.create_sheet("Margins")
    secret.append(["a", "b"])
    secret.append([1, 2])
    secret.sheet_state = "veryHidden"
    found = read("a.xlsx", saved(book))
    assert texts(rows, found) == ["Sheet", "Part: A | Price: 5", "Part: C | Price: 7"]
    assert {"A | Cost: 3", "Part: B | Price: 6", "Margins", "a: 1 | b: 2"} <= set(hidden(found))
    assert "hidden" in found.notes[0]


def test_a_formula_without_a_stored_value_is_shown_and_said(read: Read, rows: Rows) -> None:
    book, _ = workbook(["Part", "Price"], ["A", 5], ["Sum", "=SUM(B2:B2)"])
    found = read("a.xlsx", saved(book))
    assert texts(rows, found)[-1] == "Part: Sum | Price: =SUM(B2:B2)"
    assert "1 formulas have no stored value" in found.notes[0]


def test_comments_say_who_wrote_them_and_on_which_cell(read: Read, rows: Rows) -> None:
    book, sheet = workbook(["Part", "Price"], ["A", 5])
    sheet["B2"].comment = Comment("Check with Hull", "Ann")
    assert rows(read("a.xlsx", saved(book)))[-1] == (
        "note",
        "Comment by Ann on B2 (5), in the row A | 5: Check with Hull",
    )


def test_a_hundred_thousand_rows_are_read_and_too_much_text_ends_early(read: Read) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Log")
    sheet.append(["Number", "Text"])
    for number in range(100_000):
        sheet.append([number, "something happened"])
    content = saved(book)
    found = read("a.xlsx", content)
    assert sum(e.kind == "table_row" for e in found.elements) == 100_000
    with pytest.raises(Unreadable, match="MiB of text"):
        read("b.xlsx", content, limit=2 << 20)
