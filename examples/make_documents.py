"""Make the binary documents of the examples (docx, pptx, xlsx, pdf, eml) from the readable sources beside this file.

    python examples/make_documents.py            writes into examples/documents
    python examples/make_documents.py FOLDER     writes into another folder

The same sources give the same bytes on every run and machine: every date is fixed, and nothing is compressed, since
compressed bytes differ between builds of zlib. A source carries the name of its document and a second ending:
`x.pdf.md` becomes `x.pdf`; a folder `x.xlsx` of numbered CSV files becomes a workbook with one sheet a file.
"""

import csv
import io
import re
import sys
import zipfile
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

from docx import Document
from docx.enum.style import WD_STYLE_TYPE
from openpyxl import Workbook
from openpyxl.styles import Font
from pptx import Presentation
from pptx.util import Inches
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "sources"
EPOCH = datetime(2025, 1, 1)
ZIP_EPOCH = (2025, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Block:
    """One piece of a text: `kind` is heading, paragraph, bullet, number, table or pagebreak."""

    kind: str
    text: str = ""
    level: int = 0
    rows: list[list[str]] = field(default_factory=list)


def read_source(path: Path) -> tuple[dict[str, str], str]:
    """The fields between the two `---` at the top, and the text behind them."""
    _, head, body = path.read_text(encoding="utf-8").split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in head.splitlines() if line)
    return fields, body


def read_blocks(body: str) -> list[Block]:
    blocks: list[Block] = []
    for piece in re.split(r"\n{2,}", body.strip()):
        lines = piece.splitlines()
        if piece == r"\pagebreak":
            blocks.append(Block("pagebreak"))
        elif heading := re.match(r"(#+) (.+)", piece):
            blocks.append(Block("heading", heading[2], len(heading[1])))
        elif piece.startswith("|"):
            cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
            blocks.append(Block("table", rows=[cells[0], *cells[2:]]))
        elif all(line.startswith("- ") for line in lines):
            blocks.extend(Block("bullet", line[2:]) for line in lines)
        elif all(re.match(r"\d+\. ", line) for line in lines):
            blocks.extend(Block("number", line) for line in lines)
        else:
            blocks.append(Block("paragraph", " ".join(lines)))
    return blocks


def fix_zip(packed: bytes) -> bytes:
    """The same archive, its members stored and dated alike, without the writer's clock in its properties."""
    fixed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as old, zipfile.ZipFile(fixed, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                stamp = rb"\g<1>" + EPOCH.strftime("%Y-%m-%dT%H:%M:%SZ").encode() + rb"\g<2>"
                content = re.sub(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*(</)", stamp, content)
            member = zipfile.ZipInfo(name, ZIP_EPOCH)
            member.create_system = 0
            new.writestr(member, content)
    return fixed.getvalue()


def make_docx(source: Path) -> bytes:
    fields, body = read_source(source)
    document = Document()
    drop_unused_styles(document)
    properties = document.core_properties
    properties.title, properties.author = fields["title"], fields["author"]
    properties.created = properties.modified = EPOCH
    document.sections[0].header.paragraphs[0].text = fields.get("header", "Varnholt")
    for block in read_blocks(body):
        if block.kind == "heading":
            document.add_heading(block.text, level=block.level)
        elif block.kind == "table":
            add_word_table(document, block.rows)
        elif block.kind == "pagebreak":
            document.add_page_break()
        else:
            document.add_paragraph(block.text, style="List Bullet" if block.kind == "bullet" else None)
    packed = io.BytesIO()
    document.save(packed)
    return fix_zip(packed.getvalue())


def drop_unused_styles(document: Any) -> None:
    """Word's template brings a hundred table styles, nine tenths of the file, of which one is used here."""
    for style in [style for style in document.styles if style.type == WD_STYLE_TYPE.TABLE]:
        if style.name not in ("Normal Table", "Table Grid"):
            style.delete()
    for key, relation in list(document.part.rels.items()):
        if relation.reltype.endswith("/stylesWithEffects"):
            document.part.drop_rel(key)


def add_word_table(document: Any, rows: list[list[str]]) -> None:
    table = document.add_table(rows=0, cols=len(rows[0]), style="Table Grid")
    for row in rows:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    document.add_paragraph()


def make_pdf(source: Path) -> bytes:
    fields, body = read_source(source)
    packed = io.BytesIO()
    template = SimpleDocTemplate(
        packed,
        pagesize=A4,
        leftMargin=22 * mm,
        rightMargin=22 * mm,
        topMargin=28 * mm,
        bottomMargin=24 * mm,
        title=fields["title"],
        author=fields["author"],
        invariant=1,
        pageCompression=0,
    )

    def frame(canvas: Canvas, page: SimpleDocTemplate) -> None:
        canvas.saveState()
        canvas.setFont("Helvetica", 8)
        canvas.drawString(22 * mm, A4[1] - 16 * mm, fields["header"])
        canvas.drawString(22 * mm, 13 * mm, fields.get("footer", ""))
        canvas.drawRightString(A4[0] - 22 * mm, 13 * mm, f"Page {page.page}")
        canvas.restoreState()

    template.build([flowable(block) for block in read_blocks(body)], onFirstPage=frame, onLaterPages=frame)
    return packed.getvalue()


def flowable(block: Block) -> Any:
    styles = getSampleStyleSheet()
    text = ParagraphStyle("text", parent=styles["BodyText"], fontSize=10.5, leading=15, spaceAfter=5)
    cell = ParagraphStyle("cell", parent=text, fontSize=9, leading=11.5, spaceAfter=0, spaceBefore=0)
    if block.kind == "pagebreak":
        return PageBreak()
    if block.kind == "heading":
        return Paragraph(escaped(block.text), styles[f"Heading{block.level}"])
    if block.kind == "table":
        grid = [("GRID", (0, 0), (-1, -1), 0.4, colors.grey), ("VALIGN", (0, 0), (-1, -1), "TOP")]
        style = TableStyle([*grid, ("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke)])
        rows = [[Paragraph(escaped(words), cell) for words in row] for row in block.rows]
        return Table(rows, style=style, repeatRows=1, spaceBefore=4, spaceAfter=8)
    if block.kind == "bullet":
        return Paragraph(escaped(block.text), ParagraphStyle("bullet", parent=text, leftIndent=12), bulletText="•")
    return Paragraph(escaped(block.text), text) if block.text else Spacer(1, 6)


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def make_pptx(source: Path) -> bytes:
    fields, body = read_source(source)
    deck = Presentation()
    deck.core_properties.title, deck.core_properties.author = fields["title"], fields["author"]
    deck.core_properties.created = deck.core_properties.modified = EPOCH
    for part in body.split("\n---\n"):
        shown, _, notes = part.partition("\nNotes: ")
        add_slide(deck, read_blocks(shown), notes.strip())
    packed = io.BytesIO()
    deck.save(packed)
    return fix_zip(packed.getvalue())


def add_slide(deck: Any, blocks: list[Block], notes: str) -> None:
    title, *rest = blocks
    words = [block.text for block in rest if block.kind != "table"]
    slide = deck.slides.add_slide(deck.slide_layouts[1 if words else 5])
    slide.shapes.title.text = title.text
    if words:
        slide.placeholders[1].text = "\n".join(words)
    for block in rest:
        if block.kind == "table":
            place = Inches(0.6), Inches(1.6), Inches(8.8), Inches(0.4 * len(block.rows))
            table = slide.shapes.add_table(len(block.rows), len(block.rows[0]), *place).table
            for i, row in enumerate(block.rows):
                for j, text in enumerate(row):
                    table.cell(i, j).text = text
            if words:
                slide.placeholders[1].top, slide.placeholders[1].height = Inches(4.6), Inches(2)
                slide.placeholders[1].left, slide.placeholders[1].width = Inches(0.6), Inches(8.8)
    slide.notes_slide.notes_text_frame.text = notes


def make_xlsx(source: Path) -> bytes:
    book = Workbook()
    book.remove(book.active)
    book.properties.creator = "Varnholt"
    for sheet_source in sorted(source.glob("*.csv")):
        sheet = book.create_sheet(sheet_source.stem.partition(" ")[2])
        with sheet_source.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.reader(lines))
        for row in rows:
            sheet.append([cell_value(text) for text in row])
        header = next(i for i, row in enumerate(rows, start=1) if len(row) > 1)
        for cell in [*sheet[1], *sheet[header]]:
            cell.font = Font(bold=True)
        for i in range(1, len(rows[header - 1]) + 1):
            sheet.column_dimensions[sheet.cell(header, i).column_letter].width = 22
    packed = io.BytesIO()
    book.save(packed)
    return fix_zip(packed.getvalue())


def cell_value(text: str) -> str | int | float | None:
    if re.fullmatch(r"\d+", text):
        return int(text)
    return float(text) if re.fullmatch(r"\d+\.\d+", text) else text or None


def make_eml(source: Path) -> bytes:
    head, _, rest = source.read_text(encoding="utf-8").partition("\n\n")
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    text, *attached = re.split(r"^--- .+\n", rest, flags=re.MULTILINE)
    mail = EmailMessage(policy=SMTP)
    for name in ("From", "To", "Cc", "Date", "Subject"):
        if name in fields:
            mail[name] = fields[name]
    mail["Message-ID"] = f"<{source.name.removesuffix('.eml.txt')}@varnholt.example>"
    mail.set_content(text.strip() + "\n")
    if "Html" in fields:
        paragraphs = "".join(f"<p>{escaped(part)}</p>" for part in text.strip().split("\n\n"))
        mail.add_alternative(f"<html><body>{paragraphs}</body></html>\n", subtype="html")
    for content in attached:
        mail.add_attachment(content.encode(), maintype="text", subtype="csv", filename=fields["Attachment"])
    if mail.is_multipart():
        mail.set_boundary(f"=={source.stem}==")
    return mail.as_bytes()


MAKERS = {
    ".docx.md": make_docx,
    ".pdf.md": make_pdf,
    ".pptx.md": make_pptx,
    ".xlsx": make_xlsx,
    ".eml.txt": make_eml,
}


def make_all(target: Path) -> list[Path]:
    """Write every document that has a source into `target`, in the folders of the sources; returns the paths."""
    written = []
    for source in sorted(SOURCES.rglob("*")):
        ending = next((ending for ending in MAKERS if source.name.endswith(ending)), None)
        if ending is None:
            continue
        name = source.relative_to(SOURCES).as_posix().removesuffix(".md").removesuffix(".txt")
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(MAKERS[ending](source))
        written.append(path)
    return written


if __name__ == "__main__":
    for made in make_all(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "documents"):
        print(made)
