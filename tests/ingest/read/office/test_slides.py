"""Presentations as their viewer sees them."""

import io
from collections.abc import Callable

import pptx
from lxml import etree
from pptx.dml.color import RGBColor
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.oxml import parse_xml
from pptx.util import Inches, Pt

from ragapp.types import Extracted

Read = Callable[..., Extracted]
Rows = Callable[[Extracted], list[tuple[str, str]]]
Hidden = Callable[[Extracted], list[str]]
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"


def saved(deck: object) -> bytes:
    buffer = io.BytesIO()
    deck.save(buffer)  # type: ignore[attr-defined]
    return buffer.getvalue()


def test_hidden_slides_are_marked_and_counted(read: Read, rows: Rows, hidden: Hidden) -> None:
    deck = pptx.Presentation()
    for name in ("Shown", "Not shown"):
        slide = deck.slides.add_slide(deck.slide_layouts[5])
        slide.shapes.title.text = name
    slide._element.set("show", "0")
    found = read("a.pptx", saved(deck))
    assert rows(found) == [("title", "Shown")]
    assert hidden(found) == ["Not shown"]
    assert found.notes == ("1 hidden slides are kept apart and never answered from",)


def test_tiny_and_white_letters_and_hidden_shapes_are_marked(read: Read, rows: Rows, hidden: Hidden) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    frame = slide.shapes.add_textbox(*([Inches(1)] * 4)).text_frame
    for text, size, white in (("Seen", 20, False), (" tiny", 1, False), (" white", 20, True)):
        run = frame.paragraphs[0].add_run()
        run.text, run.font.size = text, Pt(size)
        if white:
            run.font.color.rgb = RGBColor(255, 255, 255)
    other = slide.shapes.add_textbox(*([Inches(3)] * 4))
    other.text_frame.text = "unseen shape"
    other._element.nvSpPr.cNvPr.set("hidden", "1")
    found = read("a.pptx", saved(deck))
    assert rows(found) == [("text", "Seen")]
    assert hidden(found) == ["unseen shape", "tiny white"]


def test_white_letters_on_a_filled_shape_are_seen(read: Read, rows: Rows, hidden: Hidden) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    ground = slide.shapes.add_shape(1, *([Inches(1)] * 4))
    ground.fill.solid()
    ground.fill.fore_color.rgb = RGBColor(0, 0, 0)
    box = slide.shapes.add_textbox(*([Inches(1)] * 4))
    run = box.text_frame.paragraphs[0].add_run()
    run.text = "White on black"
    run.font.color.rgb = RGBColor(255, 255, 255)
    found = read("a.pptx", saved(deck))
    assert rows(found) == [("text", "White on black")] and hidden(found) == []


def test_numbers_of_lists_groups_and_merged_cells_are_kept(read: Read, rows: Rows) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    group = slide.shapes.add_group_shape()
    frame = group.shapes.add_textbox(*([Inches(1)] * 4)).text_frame
    frame.text = "open the valve"
    frame.add_paragraph().text = "wait"
    for paragraph in frame.paragraphs:
        etree.SubElement(paragraph._p.get_or_add_pPr(), f"{{{DRAWING}}}buAutoNum", type="arabicPeriod")
    table = slide.shapes.add_table(3, 2, *([Inches(4)] * 4)).table
    for cell, text in zip(table.iter_cells(), ["Site", "Output", "Hull", "1", "", "2"], strict=True):
        cell.text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    assert [text for _, text in rows(read("a.pptx", saved(deck)))] == [
        "1. open the valve",
        "2. wait",
        "Site: Hull | Output: 1",
        "Site: Hull | Output: 2",
    ]


def test_bullets_of_the_layout_make_list_items(read: Read, rows: Rows) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Plan"
    slide.placeholders[1].text = "First this"
    slide.placeholders[1].text_frame.add_paragraph().text = "then that"
    plain = slide.placeholders[1].text_frame.add_paragraph()
    plain.text = "All of it is said."
    etree.SubElement(plain._p.get_or_add_pPr(), f"{{{DRAWING}}}buNone")
    assert rows(read("a.pptx", saved(deck))) == [
        ("title", "Plan"),
        ("list_item", "First this"),
        ("list_item", "then that"),
        ("text", "All of it is said."),
    ]


def test_smartart_and_comments_are_read(read: Read, rows: Rows) -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Plan"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    diagram = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
    data = (
        f'<d:dataModel xmlns:d="{diagram}" xmlns:a="{DRAWING}"><d:ptLst>'
        "<d:pt><d:t><a:p><a:r><a:t>First step</a:t></a:r></a:p></d:t></d:pt>"
        '<d:pt type="pres"><d:t><a:p><a:r><a:t>First step</a:t></a:r></a:p></d:t></d:pt></d:ptLst></d:dataModel>'
    )
    part = Part(PackURI("/ppt/diagrams/data1.xml"), "application/xml", deck.part.package, data.encode())
    name = slide.part.relate_to(part, f"{office}/diagramData")
    presentation = "http://schemas.openxmlformats.org/presentationml/2006/main"
    frame = (
        f'<p:graphicFrame xmlns:p="{presentation}" xmlns:a="{DRAWING}"><p:nvGraphicFramePr><p:cNvPr id="9" name="d"/>'
        "<p:cNvGraphicFramePr/><p:nvPr/></p:nvGraphicFramePr>"
        '<p:xfrm><a:off x="0" y="0"/><a:ext cx="9" cy="9"/></p:xfrm>'
        f'<a:graphic><a:graphicData uri="{diagram}"><d:relIds xmlns:d="{diagram}" xmlns:r="{office}" r:dm="{name}"/>'
        "</a:graphicData></a:graphic></p:graphicFrame>"
    )
    slide.shapes._spTree.append(parse_xml(frame))
    authors = f'<p:cmAuthorLst xmlns:p="{presentation}"><p:cmAuthor id="0" name="Ann"/></p:cmAuthorLst>'
    comments = f'<p:cmLst xmlns:p="{presentation}"><p:cm authorId="0"><p:text>Too long</p:text></p:cm></p:cmLst>'
    for holder, uri, kind, body in (
        (deck.part, "/ppt/commentAuthors.xml", "commentAuthors", authors),
        (slide.part, "/ppt/comments/comment1.xml", "comments", comments),
    ):
        holder.relate_to(Part(PackURI(uri), "application/xml", deck.part.package, body.encode()), f"{office}/{kind}")
    assert rows(read("a.pptx", saved(deck)))[1:] == [("list_item", "First step"), ("note", "Comment by Ann: Too long")]
