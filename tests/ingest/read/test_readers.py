"""What a limit of the settings keeps out says so by its kind of error, whatever reads it: a higher limit lets it in."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from io import BytesIO

import openpyxl
import pytest

from ingest.read.formats import ARCHIVES, format_of_name, supported
from ingest.read.readers import READERS
from ragapp.errors import KeptOut, Unreadable
from ragapp.types import Extracted

Read = Callable[..., Extracted]
LIMIT = 4096


def workbook() -> bytes:
    book, sink = openpyxl.Workbook(), BytesIO()
    for number in range(400):
        book.worksheets[0].append([f"many words {number}", "many more"])
    book.save(sink)
    return sink.getvalue()


def swollen() -> bytes:
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr("word/document.xml", " " * 9 * LIMIT)
    return sink.getvalue()


MAIL = "From: a@x.example\nTo: b@x.example\nSubject: Hi\n\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "many words\n" * 400),
        ("a.json", str(["many words"] * 400).replace("'", '"')),
        ("a.html", "<p>many words</p>" * 1000),
        ("b.html", f"<p>{'many words ' * 380}</p>"),
        ("a.rtf", "{\\rtf1 " + "many words\n" * 1600 + "}"),
        ("a.eml", MAIL + "many words\n" * 800),
        ("b.eml", MAIL + "many words\n" * 3200),
        ("a.xlsx", workbook()),
        ("a.docx", swollen()),
    ],
)
def test_too_much_text_is_kept_out_by_a_limit_that_is_named(name: str, content: str | bytes, read: Read) -> None:
    with pytest.raises(KeptOut, match=r"ingest\.max_text_mib"):
        read(name, content, limit=LIMIT)


def test_what_no_limit_would_let_in_is_not(read: Read) -> None:
    with pytest.raises(Unreadable) as refused:
        read("a.docx", swollen(), limit=1 << 20)
    assert not isinstance(refused.value, KeptOut)


def test_every_format_that_a_name_can_promise_has_its_reader_and_no_other() -> None:
    """Which kind a file is, is told without knowing the readers; the two must not drift apart."""
    assert {format_of_name(f"a.{extension}") for extension in supported()} - ARCHIVES == READERS.keys()
