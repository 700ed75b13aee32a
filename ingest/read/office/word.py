"""Word documents through unstructured, from a tree that was made plain for it, with tables read from that tree."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

from ingest.read.blocks import Block, Draft, block, hidden_last, one_line
from ingest.read.office.elements import blocks_of
from ingest.read.office.figures import chart_table, diagram_lines, parsed
from ingest.read.office.offline import make_offline, without_tagging
from ingest.read.office.package import as_plain_office
from ingest.read.office.wordstyles import W
from ingest.read.office.wordtables import paragraph_text, word_table
from ingest.read.office.wordtree import HIDDEN, NOTE, make_plain, marked, paragraph, references
from ingest.read.tables import fits, table_blocks

_LONGEST_TITLE = 120
_HIDES = "text that the document hides is kept apart and never answered from"
_ONLY_A_PAGE_NUMBER = re.compile(
    r"[\W_]*(?:(?:page|seite|p|s|blatt|página|pagina)\b[\W_]*)?\d{1,4}"
    r"(?:\W+|\W+(?:of|von|de|sur|di|van)\W+)?\d{0,4}\W*",
    re.IGNORECASE,
)
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
_DRAWN_TABLES = 500_000
"""Numbers of tables behind charts start here, so that they never meet those of the text."""


def read_docx(file: BinaryIO) -> Draft:
    """Blocks of a Word document as its last reader sees it: titles by style or outline, numbered items, tables, text
    boxes, diagrams, notes behind what refers to them, comments with their writers; hidden text marked as such."""
    import docx

    make_offline()
    from unstructured.partition import docx as partitioner

    without_tagging(partitioner)
    document = docx.Document(as_plain_office(file, "docx"))
    body = document.element.body
    for line in body.iter(f"{W}tr"):
        # before the partitioner takes each of them apart, which takes it longer than all that follows
        fits(len(line.findall(f"{W}tc")))
    figures = _figures(document)
    make_plain(document)
    _place_notes(document)
    tables = list(body.iterchildren(f"{W}tbl"))
    whole = io.BytesIO()
    document.save(whole)
    elements = partitioner.partition_docx(
        file=whole, infer_table_structure=False, include_page_breaks=False, languages=[""]
    )
    blocks = [*_with_tables(elements, tables), *figures, *_comments(document)]
    if not any(b.kind == "title" for b in blocks):
        bold = {element.text.strip() for element in elements if _all_bold(element)}
        blocks = [replace(b, kind="title", level=2) if _is_bold_title(b, bold) else b for b in blocks]
    pages = max((b.page for b in blocks if b.page), default=None)
    notes = (_HIDES,) if any(b.hidden for b in blocks) else ()
    return Draft(tuple(hidden_last(blocks)), document.core_properties.title or "", pages=pages, notes=notes)


def _with_tables(elements: list[Any], tables: list[Any]) -> Iterator[Block]:
    """unstructured's elements as blocks; each of its tables is one of the body's, in order."""
    number = 0
    plain: list[Any] = []
    for element in elements:
        if element.category != "Table" or number >= len(tables):
            plain.append(element)
            continue
        yield from map(_as_marked, _plain(plain))
        plain = []
        number += 1
        yield from word_table(tables[number - 1], number, element.metadata.page_number)
    yield from map(_as_marked, _plain(plain))


def _plain(elements: list[Any]) -> Iterator[Block]:
    kept = (e for e in elements if not (e.category in ("Header", "Footer") and _ONLY_A_PAGE_NUMBER.fullmatch(e.text)))
    yield from blocks_of(kept, lambda element: (element.metadata.category_depth or 0) + 1)


def _as_marked(piece: Block) -> Block:
    number, text = marked(piece.text)
    text = " ".join(text.split(" ")).strip() if number else text
    if not number:
        return piece
    if number == HIDDEN:
        return replace(piece, kind="text", text=text, level=0, hidden=True)
    if number == NOTE:
        return replace(piece, kind="note", text=text, level=0)
    return replace(piece, kind="title", text=re.sub(r"  +", " ", text), level=number)


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


def _parts(document: Any, *kinds: str) -> Iterator[tuple[str, Any]]:
    """The trees of the document's files of these kinds."""
    for relation in document.part.rels.values():
        kind = relation.reltype.rsplit("/", 1)[-1]
        if not relation.is_external and kind in kinds:
            yield kind, parsed(relation.target_part.blob)


def _place_notes(document: Any) -> None:
    """Foot- and endnotes as paragraphs behind the one, or the table, that refers to them."""
    texts = {
        (kind, note.get(f"{W}id") or ""): _words_of(note)
        for kind, root in _parts(document, "footnotes", "endnotes")
        for note in root
    }
    for holder, kind, name in reversed([*references(document.element.body)]):
        if text := texts.pop((kind, name), ""):
            holder.addnext(paragraph(text, NOTE))


def _words_of(root: Any) -> str:
    lines = (one_line(paragraph_text(lines)) for lines in root.iter(f"{W}p"))
    return " ".join(line for line in lines if line)


def _comments(document: Any) -> Iterator[Block]:
    """Comments with who wrote them and the words that they stand at."""
    anchors: dict[str, list[str]] = {}
    open_ranges: list[str] = []
    for element in document.element.body.iter(f"{W}commentRangeStart", f"{W}commentRangeEnd", f"{W}t"):
        name = element.get(f"{W}id") or ""
        if element.tag == f"{W}commentRangeStart":
            open_ranges.append(name)
        elif element.tag == f"{W}commentRangeEnd":
            open_ranges = [each for each in open_ranges if each != name]
        else:
            for each in open_ranges:
                anchors.setdefault(each, []).append(element.text or "")
    for _, root in _parts(document, "comments"):
        for comment in root.iter(f"{W}comment"):
            writer = one_line(comment.get(f"{W}author") or "")
            place = marked(one_line("".join(anchors.get(comment.get(f"{W}id") or "", []))))[1]
            said = _words_of(comment)
            head = f"Comment by {writer}" if writer else "Comment"
            place = f" on “{place if len(place) <= 100 else place[:97] + '…'}”" if place else ""
            yield from block("note", f"{head}{place}: {said}" if said else "")


def _figures(document: Any) -> list[Block]:
    """Charts and SmartArt of the body, in order; they stand behind the text."""
    found: list[Block] = []
    related = document.part.related_parts
    for number, element in enumerate(document.element.body.iter(_CHART, _DIAGRAM)):
        name = element.get(f"{_R}id") or element.get(f"{_R}dm")
        if name not in related:
            continue
        root = parsed(related[name].blob)
        if element.tag == _DIAGRAM:
            found += [piece for line in diagram_lines(root) for piece in block("list_item", line)]
            continue
        title, rows = chart_table(root)
        found += [*block("text", title), *table_blocks(rows, _DRAWN_TABLES + number, header=True)]
    return found
