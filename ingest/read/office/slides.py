"""PowerPoint through unstructured, from slides that were made plain for it, with what it passes over added."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any, BinaryIO

from ingest.read.blocks import Block, Draft, block
from ingest.read.office.elements import blocks_of
from ingest.read.office.figures import chart_table, diagram_lines
from ingest.read.office.offline import make_offline, without_tagging
from ingest.read.office.package import as_plain_office
from ingest.read.office.slidetree import (
    comments,
    diagrams,
    fill_merged_cells,
    take_furniture,
    take_hidden,
    take_tables,
    write_bullets,
    write_numbers,
)
from ingest.read.tables import table_blocks


def read_pptx(file: BinaryIO) -> Draft:
    """Blocks of a presentation: a title, the text, tables, diagrams, figures behind charts, speaker notes and comments
    of each slide; hidden slides and text that the viewer doesn't see marked as hidden."""
    import pptx

    make_offline()
    from unstructured.partition import pptx as partitioner

    without_tagging(partitioner)
    presentation = pptx.Presentation(as_plain_office(file, "pptx"))
    slides = list(presentation.slides)
    seen: set[str] = set()
    extras = {number: _beside(slide, number, presentation, seen) for number, slide in enumerate(slides, start=1)}
    tables: list[list[list[str]]] = []
    for slide in slides:
        write_numbers(slide)
        write_bullets(slide)
        fill_merged_cells(slide)
        take_tables(slide, tables)
    whole = io.BytesIO()
    presentation.save(whole)
    elements = partitioner.partition_pptx(
        file=whole, infer_table_structure=False, include_page_breaks=False, languages=[""]
    )
    titles = _slide_titles(elements)
    main = tuple(blocks_of(elements, lambda element: 2 if id(element) in titles else 0, tables))
    by_slide = {page: tuple(group) for page, group in groupby(main, key=lambda b: b.page)}
    blocks: list[Block] = []
    gone: set[int] = set()
    for number, slide in enumerate(slides, start=1):
        found = [*sorted(by_slide.get(number, ()), key=lambda piece: piece.kind != "title"), *extras[number]]
        if slide._element.get("show") in ("0", "false"):
            gone |= {number} if found else set()
            found = [replace(piece, hidden=True) for piece in found]
        blocks += found
    first = next((b for b in blocks if b.kind == "title" and not b.hidden), None)
    blocks = [replace(b, level=1) if b is first else b for b in blocks]
    notes: tuple[str, ...] = (f"{len(gone)} hidden slides are kept apart and never answered from",) if gone else ()
    if any(piece.hidden and piece.page not in gone for piece in blocks):
        notes += ("text that the slides hide is kept apart and never answered from",)
    return Draft(tuple(blocks), presentation.core_properties.title or "", pages=len(slides), notes=notes)


def _slide_titles(elements: list[Any]) -> set[int]:
    """The first title of each slide, as unstructured marks what stands in the title's place with depth 0."""
    found: dict[int | None, int] = {}
    for element in elements:
        if element.category == "Title" and element.metadata.category_depth == 0:
            found.setdefault(element.metadata.page_number, id(element))
    return set(found.values())


def _beside(slide: Any, page: int, presentation: Any, seen: set[str]) -> list[Block]:
    """What unstructured passes over, and footers once, which `seen` remembers; hidden text is taken out of the slide on
    the way."""
    found: list[Block] = []
    for number, chart in enumerate(_charts(slide.shapes)):
        found += _chart(chart, page, number)
    for root in diagrams(slide):
        found += [piece for line in diagram_lines(root) for piece in block("list_item", line, page=page)]
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        found += block("note", slide.notes_slide.notes_text_frame.text, page=page)
    for writer, said in comments(slide, presentation):
        found += block("note", f"Comment by {writer}: {said}" if writer else f"Comment: {said}", page=page)
    found += [piece for text in take_furniture(slide) for piece in block("note", text, page=page) if text not in seen]
    seen |= {piece.text for piece in found if piece.kind == "note"}
    for text in take_hidden(slide):
        found += block("text", text, page=page, hidden=True)
    return found


def _charts(shapes: Any) -> Iterator[Any]:
    for shape in shapes:
        if getattr(shape, "has_chart", False) and shape.has_chart:
            yield shape.chart
        elif hasattr(shape, "shapes"):
            yield from _charts(shape.shapes)


def _chart(chart: Any, page: int, place: int) -> Iterator[Block]:
    """A chart as the table of its figures; python-pptx would count up to as many as the file says that there are."""
    title, rows = chart_table(chart._chartSpace)
    yield from block("text", title, page=page)
    yield from table_blocks(rows, 1_000_000 + page * 10_000 + place * 100, header=True, page=page)
