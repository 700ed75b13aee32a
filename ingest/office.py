"""Word and PowerPoint through unstructured, with what its partitioners pass over handed to them or added."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any, BinaryIO

from ingest.blocks import Block, Draft, block
from ingest.elements import blocks_of
from ingest.offline import make_offline
from ingest.tables import table_blocks

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_WRAPPERS = {f"{_W}{name}": f"{_W}{name}" for name in ("ins", "moveTo", "smartTag", "fldSimple", "customXml")} | {
    f"{_W}sdt": f"{_W}sdtContent"
}
_LONGEST_TITLE = 120


def read_docx(file: BinaryIO) -> Draft:
    """Blocks of a Word document: styled headings, numbered items, tables, text boxes, foot- and endnotes."""
    import docx

    make_offline()
    from unstructured.partition.docx import partition_docx

    document = docx.Document(file)
    body = document.element.body
    _lift_text_boxes(body)
    _unwrap(body)
    notes = tuple(_notes(document))
    whole = io.BytesIO()
    document.save(whole)
    elements = partition_docx(file=whole, infer_table_structure=True, include_page_breaks=False, languages=[""])
    blocks = [*blocks_of(elements, lambda element: (element.metadata.category_depth or 0) + 1), *notes]
    if not any(b.kind == "title" for b in blocks):
        bold = {element.text.strip() for element in elements if _all_bold(element)}
        blocks = [replace(b, kind="title", level=2) if _is_bold_title(b, bold) else b for b in blocks]
    pages = max((b.page for b in blocks if b.page), default=None)
    return Draft(tuple(blocks), document.core_properties.title or "", pages=pages)


def _all_bold(element: Any) -> bool:
    tags = element.metadata.emphasized_text_tags or []
    return (
        bool(tags)
        and all("b" in tag for tag in tags)
        and _letters("".join(element.metadata.emphasized_text_contents)) == _letters(element.text)
    )


def _letters(text: str) -> str:
    return "".join(text.split())


def _is_bold_title(piece: Block, bold: set[str]) -> bool:
    return (
        piece.kind in ("text", "list_item")
        and piece.text in bold
        and len(piece.text) <= _LONGEST_TITLE
        and piece.text[-1] not in ".,;"
    )


def _unwrap(body: Any) -> None:
    """Put what stands in content controls, tracked insertions and fields where python-docx looks for it."""
    for wrapper, holder in _WRAPPERS.items():
        for element in list(body.iter(wrapper)):
            parent = element.getparent()
            if parent is None:
                continue
            inner = element if wrapper == holder else element.find(holder)
            position = parent.index(element)
            for child in list(inner) if inner is not None else []:
                parent.insert(position, child)
                position += 1
            parent.remove(element)


def _lift_text_boxes(body: Any) -> None:
    """Text boxes become paragraphs behind the one they are anchored to; Word's second copy of each is dropped."""
    for fallback in list(body.iter(f"{_MC}Fallback")):
        if fallback.getprevious() is not None:
            fallback.getparent().remove(fallback)
    for box in list(body.iter(f"{_W}txbxContent")):
        anchor = next((up for up in box.iterancestors(f"{_W}p")), None)
        if anchor is None:
            continue
        for paragraph in reversed(list(box)):
            anchor.addnext(paragraph)


def _notes(document: Any) -> Iterator[Block]:
    """Footnotes, endnotes and comments, which stand in files of their own."""
    from lxml import etree

    for relation in document.part.rels.values():
        name = relation.reltype.rsplit("/", 1)[-1]
        if relation.is_external or name not in ("footnotes", "endnotes", "comments"):
            continue
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        for note in etree.fromstring(relation.target_part.blob, parser):
            paragraphs = ("".join(t.text or "" for t in p.iter(f"{_W}t")) for p in note.iter(f"{_W}p"))
            yield from block("note", "\n".join(paragraph for paragraph in paragraphs if paragraph.strip()))


def read_pptx(file: BinaryIO) -> Draft:
    """Blocks of a presentation: a title, the text, tables, figures behind charts, and speaker notes of each slide."""
    import pptx

    make_offline()
    from unstructured.partition.pptx import partition_pptx

    presentation = pptx.Presentation(file)
    extras = {number: tuple(_beside(slide, number)) for number, slide in enumerate(presentation.slides, start=1)}
    file.seek(0)
    elements = partition_pptx(file=file, infer_table_structure=True, include_page_breaks=False, languages=[""])
    titles = _slide_titles(elements)
    main = tuple(blocks_of(elements, lambda element: 2 if id(element) in titles else 0))
    by_slide = {page: tuple(group) for page, group in groupby(main, key=lambda b: b.page)}
    blocks: list[Block] = []
    for number in extras:
        slide = by_slide.get(number, ())
        blocks += sorted(slide, key=lambda piece: piece.kind != "title")
        blocks += extras[number]
    first = next((b for b in blocks if b.kind == "title"), None)
    blocks = [replace(b, level=1) if b is first else b for b in blocks]
    return Draft(tuple(blocks), presentation.core_properties.title or "", pages=len(extras))


def _slide_titles(elements: list[Any]) -> set[int]:
    """The first title of each slide, as unstructured marks what stands in the title's place with depth 0."""
    found: dict[int | None, int] = {}
    for element in elements:
        if element.category == "Title" and element.metadata.category_depth == 0:
            found.setdefault(element.metadata.page_number, id(element))
    return set(found.values())


def _beside(slide: Any, page: int) -> Iterator[Block]:
    for shape in slide.shapes:
        if getattr(shape, "has_chart", False) and shape.has_chart:
            yield from _chart(shape.chart, page)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        yield from block("note", slide.notes_slide.notes_text_frame.text, page=page)


def _chart(chart: Any, page: int) -> Iterator[Block]:
    """A chart as the table of its figures."""
    if chart.has_title and chart.chart_title.has_text_frame:
        yield from block("text", chart.chart_title.text_frame.text, page=page)
    for number, plot in enumerate(chart.plots):
        names = ["", *(str(series.name) for series in plot.series)]
        columns = [list(series.values) for series in plot.series]
        rows = [
            [str(category), *("" if row >= len(c) or c[row] is None else f"{c[row]:g}" for c in columns)]
            for row, category in enumerate(plot.categories)
        ]
        table = 1_000_000 + page * 100 + number
        yield from table_blocks([names, *rows], table, header=True, page=page)
