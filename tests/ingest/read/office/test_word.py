"""Word documents as their last reader sees them."""

import io
import zipfile
from collections.abc import Callable

import docx
import pytest
from docx.oxml import parse_xml
from docx.shared import Pt, RGBColor

from ragapp.types import Extracted

Read = Callable[..., Extracted]
Rows = Callable[[Extracted], list[tuple[str, str]]]
Hidden = Callable[[Extracted], list[str]]
SPACE = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def saved(document: object) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)  # type: ignore[attr-defined]
    return buffer.getvalue()


def added(document: object, inner: str) -> None:
    """A paragraph of raw runs at the document's end."""
    body = document.element.body  # type: ignore[attr-defined]
    body.insert(len(body) - 1, parse_xml(f"<w:p {SPACE}>{inner}</w:p>"))


def run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def test_tracked_changes_are_read_as_accepted(read: Read, rows: Rows) -> None:
    document = docx.Document()
    mark = 'w:id="1" w:author="x"'
    added(
        document,
        run("The fee is ")
        + f"<w:del {mark}><w:r><w:delText>5</w:delText></w:r></w:del><w:ins {mark}>{run('7')}</w:ins>"
        + f"<w:moveFrom {mark}>{run(' gone')}</w:moveFrom><w:moveTo {mark}>{run(' euros')}</w:moveTo>",
    )
    table = document.add_table(rows=2, cols=1)
    table.cell(0, 0).text, table.cell(1, 0).text = "kept", "deleted row"
    table.rows[1]._tr.get_or_add_trPr().append(parse_xml(f"<w:del {SPACE} {mark}/>"))
    assert rows(read("a.docx", saved(document))) == [("text", "The fee is 7 euros"), ("text", "kept")]


def test_text_that_is_hidden_tiny_or_white_on_white_is_marked(read: Read, rows: Rows, hidden: Hidden) -> None:
    document = docx.Document()
    line = document.add_paragraph("Seen ")
    line.add_run("vanished ").font.hidden = True
    tiny = line.add_run("tiny ")
    tiny.font.size = Pt(1)
    line.add_run("white ").font.color.rgb = RGBColor(255, 255, 255)
    line.add_run("again.")
    document.add_paragraph("Last.")
    found = read("a.docx", saved(document))
    assert rows(found) == [("text", "Seen again."), ("text", "Last.")]
    assert hidden(found) == ["vanished tiny white"]


def test_white_letters_on_a_dark_cell_are_seen(read: Read, rows: Rows, hidden: Hidden) -> None:
    document = docx.Document()
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip([c for r in table.rows for c in r.cells], ["Part", "Fee", "A", "5 EUR"], strict=True):
        cell.text = text
    for cell in table.rows[0].cells:
        cell._tc.get_or_add_tcPr().append(parse_xml(f'<w:shd {SPACE} w:val="clear" w:fill="1F3864"/>'))
        cell.paragraphs[0].runs[0].font.color.rgb = RGBColor(255, 255, 255)
    found = read("a.docx", saved(document))
    assert rows(found) == [("table_row", "Part: A | Fee: 5 EUR")]
    assert hidden(found) == []


def test_a_style_can_hide_and_a_style_can_head(read: Read, rows: Rows, hidden: Hidden) -> None:
    document = docx.Document()
    styles = document.styles
    styles.add_style("Secret", 1).font.hidden = True
    chapter = styles.add_style("Kapitel", 1)
    chapter.base_style = styles["Heading 2"]
    document.add_heading("Manual", 1)
    document.add_paragraph("Oil", style="Kapitel")
    document.add_paragraph("Change it yearly.")
    document.add_paragraph("Not for customers.", style="Secret")
    found = read("a.docx", saved(document))
    assert rows(found) == [("title", "Manual"), ("title", "Oil"), ("text", "Change it yearly.")]
    assert [e.level for e in found.elements if e.kind == "title"] == [1, 2]
    assert hidden(found) == ["Not for customers."]


def test_tables_keep_merged_cells_double_headers_and_inner_tables(read: Read, rows: Rows) -> None:
    document = docx.Document()
    table = document.add_table(rows=4, cols=4)
    texts = [
        ["Site", "Output", "", "Parts"],
        ["", "2023", "2024", ""],
        ["Hull", "27 t", "31 t", ""],
        ["", "2 t", "3 t", "none"],
    ]
    for row, line in zip(table.rows, texts, strict=True):
        for cell, text in zip(row.cells, line, strict=True):
            cell.text = text
    table.cell(0, 1).merge(table.cell(0, 2))
    table.cell(0, 0).merge(table.cell(1, 0))
    table.cell(0, 3).merge(table.cell(1, 3))
    table.cell(2, 0).merge(table.cell(3, 0))
    for row in table.rows[:2]:
        row._tr.get_or_add_trPr().append(parse_xml(f"<w:tblHeader {SPACE}/>"))
    inner = table.cell(2, 3).add_table(rows=2, cols=2)
    for cell, text in zip([c for r in inner.rows for c in r.cells], ["Name", "Qty", "Bolt", "4"], strict=True):
        cell.text = text
    assert [text for _, text in rows(read("a.docx", saved(document)))] == [
        "Site: Hull | Output 2023: 27 t | Output 2024: 31 t | Parts: Name: Bolt, Qty: 4",
        "Site: Hull | Output 2023: 2 t | Output 2024: 3 t | Parts: none",
    ]


def test_a_frame_of_one_cell_gives_its_paragraphs_back(read: Read, rows: Rows) -> None:
    document = docx.Document()
    cell = document.add_table(rows=1, cols=1).cell(0, 0)
    cell.paragraphs[0].text = "Warning"
    cell.add_paragraph("Wear gloves.")
    assert [text for _, text in rows(read("a.docx", saved(document)))] == ["Warning", "Wear gloves."]


def with_part(content: bytes, name: str, kind: str, body: str) -> bytes:
    """The document with one more file that it refers to."""
    made = io.BytesIO()
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    relation = f'<Relationship Id="rIdX" Type="{office}/{kind}" Target="{name}"/>'
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(made, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename == "word/_rels/document.xml.rels":
                data = data.replace(b"</Relationships>", relation.encode() + b"</Relationships>")
            if entry.filename == "[Content_Types].xml":
                over = f'<Override PartName="/word/{name}" ContentType="application/xml"/></Types>'
                data = data.replace(b"</Types>", over.encode())
            target.writestr(entry, data)
        target.writestr(f"word/{name}", body)
    return made.getvalue()


def test_footnotes_stand_behind_the_paragraph_that_refers_to_them(read: Read, rows: Rows) -> None:
    document = docx.Document()
    added(document, run("Costs fell") + '<w:r><w:footnoteReference w:id="2"/></w:r>' + run("."))
    document.add_paragraph("The end.")
    notes = (
        f'<w:footnotes {SPACE}><w:footnote w:id="0" w:type="separator"><w:p/></w:footnote>'
        f'<w:footnote w:id="2"><w:p>{run("Without freight.")}</w:p></w:footnote></w:footnotes>'
    )
    found = read("a.docx", with_part(saved(document), "footnotes.xml", "footnotes", notes))
    assert rows(found) == [("text", "Costs fell."), ("note", "Without freight."), ("text", "The end.")]


def test_comments_say_who_wrote_them_and_where(read: Read, rows: Rows) -> None:
    document = docx.Document()
    line = document.add_paragraph("The pump ")
    part = line.add_run("runs dry")
    document.add_comment(part, text="Is this still so?", author="Ann Lee", initials="AL")
    assert rows(read("a.docx", saved(document)))[-1] == ("note", "Comment by Ann Lee on “runs dry”: Is this still so?")


def test_equations_checkboxes_and_links_are_words_of_their_line(read: Read, rows: Rows) -> None:
    document = docx.Document()
    math = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    fraction = "<m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f>"
    ticked = "<w:ffData><w:checkBox><w:checked/></w:checkBox></w:ffData>"
    box = f'<w:r><w:fldChar w:fldCharType="begin">{ticked}</w:fldChar></w:r>'
    link = f'<w:hyperlink w:anchor="x">{run("the plan")}</w:hyperlink>'
    added(document, run("Mean ") + f"<m:oMath {math}>{fraction}</m:oMath>" + run(", see ") + link)
    added(document, box + run("approved"))
    assert [text for _, text in rows(read("a.docx", saved(document)))] == ["Mean (a+b)/2, see the plan", "☒ approved"]


@pytest.mark.parametrize(
    "kind", ["ms-word.document.macroEnabled", "openxmlformats-officedocument.wordprocessingml.template"]
)
def test_documents_with_macros_and_templates_are_read_as_documents(kind: str, read: Read, rows: Rows) -> None:
    document = docx.Document()
    document.add_paragraph("Hello.")
    made = io.BytesIO()
    plain = b"openxmlformats-officedocument.wordprocessingml.document.main+xml"
    with zipfile.ZipFile(io.BytesIO(saved(document))) as source, zipfile.ZipFile(made, "w") as target:
        for entry in source.infolist():
            target.writestr(entry, source.read(entry).replace(plain, f"{kind}.main+xml".encode()))
    assert rows(read("a.docm", made.getvalue())) == [("text", "Hello.")]


def test_a_footer_of_a_page_number_is_no_text(read: Read, rows: Rows) -> None:
    document = docx.Document()
    document.add_paragraph("Hello.")
    document.sections[0].footer.paragraphs[0].text = "Page 1 of 3"
    document.sections[0].header.paragraphs[0].text = "Contract PU-118"
    assert rows(read("a.docx", saved(document))) == [("note", "Contract PU-118"), ("text", "Hello.")]
