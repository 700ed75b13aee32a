"""PDF text: words with exact spans and boxes, paragraphs, headings, tables, and what is left out."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pypdf import PdfWriter
from pypdf.constants import UserAccessPermissions
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Table

from ingest.read.parse import parse
from ragapp.errors import Unreadable
from ragapp.types import Extracted

Read = Callable[..., Extracted]
Rows = Callable[[Extracted], list[tuple[str, str]]]
Sound = Callable[[Extracted], None]
STYLES = getSampleStyleSheet()
PROSE = "The pump moves clean water from the river to the town, by day and by night, in summer and in winter. " * 4


def drawn(draw: Callable[[Canvas], None], **options: object) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, **options)
    draw(canvas)
    canvas.save()
    return buffer.getvalue()


def laid_out(parts: list[object], running: bool = False) -> bytes:
    def decorate(canvas: Canvas, document: SimpleDocTemplate) -> None:
        if running:
            canvas.setFont("Helvetica", 8)
            canvas.drawString(72, 810, "Works manual, edition 7")
            canvas.drawString(280, 20, f"Page {document.page}")

    buffer = io.BytesIO()
    SimpleDocTemplate(buffer, pagesize=A4).build(parts, onFirstPage=decorate, onLaterPages=decorate)
    return buffer.getvalue()


def test_headings_paragraphs_and_tables(read: Read, rows: Rows, is_sound: Sound) -> None:
    parts: list[object] = [
        Paragraph("Manual", STYLES["Title"]),
        Paragraph("Technical data", STYLES["Heading2"]),
        Paragraph(PROSE, STYLES["BodyText"]),
        Table([["Type", "Flow", "Head"], ["P200", "200 m3/h", "38 m"], ["P350", "350 m3/h", "46 m"]], colWidths=150),
        Paragraph("The end of it.", STYLES["BodyText"]),
    ]
    manual = read("a.pdf", laid_out(parts))
    is_sound(manual)
    assert rows(manual) == [
        ("title", "Manual"),
        ("title", "Technical data"),
        ("text", PROSE.strip()),
        ("table_row", "Type: P200 | Flow: 200 m3/h | Head: 38 m"),
        ("table_row", "Type: P350 | Flow: 350 m3/h | Head: 46 m"),
        ("text", "The end of it."),
    ]
    assert [e.level for e in manual.elements if e.kind == "title"] == [1, 2]


def test_a_cell_of_several_lines_stays_in_its_row(read: Read, rows: Rows) -> None:
    table = Table(
        [["Code", "Meaning", "Remedy"], ["E01", "Sensor for\npressure", "Check the\ncable"], ["E02", "Dry", "Vent"]],
        colWidths=150,
    )
    assert rows(read("a.pdf", laid_out([table]))) == [
        ("table_row", "Code: E01 | Meaning: Sensor for pressure | Remedy: Check the cable"),
        ("table_row", "Code: E02 | Meaning: Dry | Remedy: Vent"),
    ]


def test_running_heads_are_kept_once_and_page_numbers_not_at_all(read: Read, rows: Rows) -> None:
    parts = [
        part for n in range(4) for part in (Paragraph(f"Body of part {n}. {PROSE}", STYLES["BodyText"]), PageBreak())
    ]
    found = rows(read("a.pdf", laid_out(parts, running=True)))
    assert [row for row in found if row[0] == "note"] == [("note", "Works manual, edition 7")]
    assert [text[:14] for kind, text in found if kind == "text"] == [f"Body of part {n}" for n in range(4)]
    assert not any("Page" in text for _, text in found)


def test_words_stand_where_they_are_drawn(read: Read, is_sound: Sound) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 12)
        canvas.drawString(100, A4[1] - 200, "Hello there")

    page = read("a.pdf", drawn(draw))
    is_sound(page)
    hello, there = page.words
    assert page.text[hello.start : hello.end] == "Hello"
    assert hello.box.x0 == pytest.approx(100, abs=1.5)
    assert hello.box.y0 < 200 < hello.box.y1
    assert there.box.x0 > hello.box.x1


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_boxes_follow_a_turned_page(turn: int, read: Read, is_sound: Sound) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(turn)
        canvas.drawString(30, 40, "corner")

    page = read("a.pdf", drawn(draw))
    is_sound(page)
    (width, height), box = page.page_sizes[0], page.words[0].box
    near_left, near_top = box.x0 < width / 2, box.y0 < height / 2
    assert (near_left, near_top) == {
        0: (True, False),
        90: (True, True),
        180: (False, True),
        270: (False, False),
    }[turn]


def test_code_keeps_its_lines_and_insets(read: Read, rows: Rows) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Courier", 10)
        for number, line in enumerate(["if pump.ready:", "    pump.start()", "done"]):
            canvas.drawString(72, 700 - 12 * number, line)

    assert rows(read("a.pdf", drawn(draw))) == [("code", "if pump.ready:\n    pump.start()\ndone")]


def test_two_columns_drawn_line_by_line_are_read_one_after_the_other(read: Read) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 10)
        for number in range(12):
            canvas.drawString(60, 700 - 12 * number, f"left {number} runs on through the first of the columns")
            canvas.drawString(330, 700 - 12 * number, f"right {number} runs on through the second column")

    text = read("a.pdf", drawn(draw)).text
    order = [text.index(f"{side} {number} runs") for side in ("left", "right") for number in range(12)]
    assert order == sorted(order)


def encrypted(algorithm: str, user_password: str) -> bytes:
    """A page under two passwords: the user's to open it, the owner's to print and copy."""
    writer = PdfWriter(io.BytesIO(drawn(lambda canvas: canvas.drawString(72, 700, "Some text."))))
    writer.encrypt(user_password, "the owner's", algorithm=algorithm, permissions_flag=UserAccessPermissions(0))
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


ALGORITHMS = ["RC4-40", "RC4-128", "AES-128", "AES-256"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_needs_a_password_says_so(algorithm: str, read: Read) -> None:
    with pytest.raises(Unreadable, match=r"^is encrypted with a password; save it without one$"):
        read("a.pdf", encrypted(algorithm, "the user's"))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_anybody_may_open_is_read_though_its_owner_has_a_password(algorithm: str, read: Read) -> None:
    content = encrypted(algorithm, "")
    assert b"/Encrypt" in content
    assert read("a.pdf", content).text == "Some text."


def test_a_name_that_is_no_utf8(read: Read) -> None:
    assert (
        read(os.fsdecode(b"a\xff.pdf"), drawn(lambda canvas: canvas.drawString(72, 700, "Some text."))).text
        == "Some text."
    )


def test_real_papers_in_columns_keep_their_order_and_join_divided_words(real_documents: Path) -> None:
    paper = parse(real_documents / "pdf" / "multi-column-2p.pdf", max_text_bytes=1 << 26)
    assert "relies on efficient passage retrieval to select candidate contexts" in paper.text
    assert (
        paper.text.index("Abstract")
        < paper.text.index("Introduction")
        < paper.text.index("Retrieval in open-domain QA")
    )
