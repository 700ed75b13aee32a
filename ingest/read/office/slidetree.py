"""A presentation's tree made plain before unstructured walks it: numbers of lists written out, merged cells filled in,
text that nobody sees on the slide taken out and handed back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ingest.read.blocks import one_line
from ingest.read.office.figures import parsed
from ingest.read.tables import Repeats

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_SMALLEST = 100
"""Hundredths of a point; nobody reads a letter of a point."""
_FILLS = ("solidFill", "gradFill", "blipFill", "pattFill", "grpFill")
_LONGEST_LIST = 5000
"""Numbers beyond are written in digits: a file may state any start, and letters and Roman numerals grow with it."""
_COVERS = 0.5
"""Share of a text's area from which a picture or a filled shape counts as its ground."""


def take_hidden(slide: Any) -> list[str]:
    """Remove the text of a slide that its viewer doesn't see, and hand it back: hidden shapes, letters of no size,
    white on white."""
    tree = slide.shapes._spTree
    taken: list[str] = []
    for properties in [*tree.iter(f"{_P}cNvPr")]:
        shape = properties.getparent().getparent()
        if properties.get("hidden") in ("1", "true") and shape is not tree and shape.getparent() is not None:
            taken += _texts(shape)
            shape.getparent().remove(shape)
    white = _is_white(slide)
    for shape in [*tree.iter(f"{_P}sp")]:
        unseen = [run for run in shape.iter(f"{_A}r") if _is_small(run)]
        pale = [run for run in shape.iter(f"{_A}r") if _is_white_run(run) and run not in unseen]
        if pale and white and not _has_fill(shape) and not _on_another(slide, shape):
            unseen += pale
        if unseen:
            taken.append(one_line(" ".join("".join(t.text or "" for t in run.iter(f"{_A}t")) for run in unseen)))
        for run in unseen:
            run.getparent().remove(run)
    return [text for text in taken if text]


def take_furniture(slide: Any) -> list[str]:
    """Remove a slide's number, date and footer, and hand back what is said on many slides: the date and the footer."""
    tree = slide.shapes._spTree
    taken: list[str] = []
    for place in [*tree.iter(f"{_P}ph")]:
        shape = next(place.iterancestors(f"{_P}sp"), None)
        if shape is not None and place.get("type") in ("sldNum", "dt", "ftr"):
            taken += _texts(shape) if place.get("type") != "sldNum" else []
            shape.getparent().remove(shape)
    return taken


def _texts(shape: Any) -> list[str]:
    lines = ("".join(t.text or "" for t in paragraph.iter(f"{_A}t")) for paragraph in shape.iter(f"{_A}p"))
    return [one_line(line) for line in lines if line.strip()]


def _is_small(run: Any) -> bool:
    properties = run.find(f"{_A}rPr")
    size = properties.get("sz") if properties is not None else None
    return size is not None and size.isdigit() and int(size) <= _SMALLEST


def _is_white_run(run: Any) -> bool:
    colour = run.find(f"{_A}rPr/{_A}solidFill")
    return colour is not None and _names_white(colour)


def _names_white(fill: Any) -> bool:
    exact, theme = fill.find(f"{_A}srgbClr"), fill.find(f"{_A}schemeClr")
    if exact is not None:
        return (exact.get("val") or "").upper() in ("FFFFFF", "FEFEFE")
    return theme is not None and theme.get("val") in ("bg1", "lt1") and not len(theme)


def _has_fill(shape: Any) -> bool:
    """Whether a shape may have a ground of its own: a fill, or a style or a placeholder that may bring one."""
    properties = shape.find(f"{_P}spPr")
    if properties is not None and properties.find(f"{_A}noFill") is not None:
        return False
    filled = properties is not None and any(properties.find(f"{_A}{name}") is not None for name in _FILLS)
    return filled or shape.find(f"{_P}style") is not None or shape.find(f".//{_P}ph") is not None


def _on_another(slide: Any, shape: Any) -> bool:
    """Whether a picture or a filled shape, of the slide or its layout and master, lies where this text stands."""
    own = _box(shape)
    if own is None:
        return True
    layers = (slide.shapes._spTree, slide.slide_layout.shapes._spTree, slide.slide_layout.slide_master.shapes._spTree)
    for layer in layers:
        for other in layer.iter(f"{_P}pic", f"{_P}sp", f"{_P}graphicFrame", f"{_P}grpSp"):
            placeholder = other.find(f".//{_P}ph") is not None
            empty = other.tag == f"{_P}sp" and (placeholder or not _has_fill(other))
            if other is shape or empty or (placeholder and layer is not layers[0]):
                continue
            box = _box(other)
            if box is None and other.tag == f"{_P}pic":
                return True
            if box is not None and _shared(own, box) > _COVERS:
                return True
    return False


def _box(shape: Any) -> tuple[int, int, int, int] | None:
    place = next(
        (found for name in ("spPr", "grpSpPr") if (found := shape.find(f"{_P}{name}/{_A}xfrm")) is not None), None
    )
    place = place if place is not None else shape.find(f"{_P}xfrm")
    offset, size = (place.find(f"{_A}off"), place.find(f"{_A}ext")) if place is not None else (None, None)
    if offset is None or size is None:
        return None
    left, top = int(offset.get("x", "0")), int(offset.get("y", "0"))
    return left, top, left + int(size.get("cx", "0")), top + int(size.get("cy", "0"))


def _shared(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    area = (one[2] - one[0]) * (one[3] - one[1])
    return wide * high / area if wide > 0 and high > 0 and area else 0.0


def _is_white(slide: Any) -> bool:
    """Whether the slide's ground is white beyond doubt."""
    for layer in (slide, slide.slide_layout, slide.slide_layout.slide_master):
        ground = layer._element.find(f"{_P}cSld/{_P}bg")
        if ground is None:
            continue
        fill = ground.find(f"{_P}bgPr/{_A}solidFill")
        reference = ground.find(f"{_P}bgRef")
        named = fill if fill is not None else reference
        return named is not None and _names_white(named) and _theme_is_light(slide)
    return True


def _theme_is_light(slide: Any) -> bool:
    master = slide.slide_layout.slide_master
    mapping = master._element.find(f"{_P}clrMap")
    name = mapping.get("bg1") if mapping is not None else "lt1"
    for relation in master.part.rels.values():
        if relation.reltype.endswith("/theme"):
            colour = parsed(relation.target_part.blob).find(f".//{_A}clrScheme/{_A}{name}")
            shown = [each.get("lastClr") or each.get("val") or "" for each in colour] if colour is not None else []
            return bool(shown) and shown[0].upper() == "FFFFFF"
    return True


def write_numbers(slide: Any) -> None:
    """The numbers of automatically numbered paragraphs as text before them."""
    for body in slide.shapes._spTree.iter(f"{_P}txBody", f"{_A}txBody"):
        counts: dict[int, tuple[str, int]] = {}
        for paragraph in body.iterchildren(f"{_A}p"):
            properties = paragraph.find(f"{_A}pPr")
            level = int(properties.get("lvl", "0")) if properties is not None else 0
            counts = {known: count for known, count in counts.items() if known <= level}
            numbered = properties.find(f"{_A}buAutoNum") if properties is not None else None
            first = paragraph.find(f"{_A}r/{_A}t")
            if numbered is None or first is None:
                counts.pop(level, None)
                continue
            kind, start = numbered.get("type", "arabicPeriod"), int(numbered.get("startAt", "1"))
            known, last = counts.get(level, (kind, start - 1))
            number = last + 1 if known == kind else start
            counts[level] = (kind, number)
            first.text = f"{_numeral(number, kind)} {first.text or ''}"


def write_bullets(slide: Any) -> None:
    """The bullets that paragraphs take from the slide's layout and master, where unstructured looks for them."""
    from lxml import etree

    layout = slide.slide_layout
    styles = layout.slide_master._element.find(f"{_P}txStyles/{_P}bodyStyle")
    for shape in slide.shapes._spTree.iter(f"{_P}sp"):
        place = shape.find(f"{_P}nvSpPr/{_P}nvPr/{_P}ph")
        body = shape.find(f"{_P}txBody")
        if styles is None or place is None or body is None:
            continue
        models = (e._element for e in layout.placeholders if str(e.placeholder_format.idx) == place.get("idx", "0"))
        model = next(models, None)
        kind = place.get("type") or (model.find(f".//{_P}ph").get("type") if model is not None else None) or "obj"
        if kind not in ("obj", "body"):
            continue
        own = [body.find(f"{_A}lstStyle"), model.find(f"{_P}txBody/{_A}lstStyle") if model is not None else None]
        for paragraph in body.iterchildren(f"{_A}p"):
            properties = paragraph.find(f"{_A}pPr")
            level = int(properties.get("lvl", "0")) + 1 if properties is not None else 1
            said = [properties, *(each.find(f"{_A}lvl{level}pPr") for each in (*own, styles) if each is not None)]
            kinds = (_bullet(each) for each in said if each is not None)
            if next((kind for kind in kinds if kind), "") == "buChar" and _bullet(properties) != "buChar":
                if properties is None:
                    properties = etree.Element(f"{_A}pPr")
                    paragraph.insert(0, properties)
                etree.SubElement(properties, f"{_A}buChar").set("char", "•")


def _bullet(properties: Any) -> str:
    """What a paragraph's properties say of its bullet: "buChar", "buAutoNum", "buNone", or nothing."""
    if properties is None:
        return ""
    kinds = (name for name in ("buNone", "buAutoNum", "buChar", "buBlip") if properties.find(f"{_A}{name}") is not None)
    return next(kinds, "").replace("buBlip", "buChar")


def _numeral(number: int, kind: str) -> str:
    if not 0 < number < _LONGEST_LIST:
        shown = str(number)
    elif kind.startswith("alpha"):
        shown = chr(ord("a") + (number - 1) % 26) * (1 + (number - 1) // 26)
        shown = shown.upper() if "Uc" in kind else shown
    elif kind.startswith("roman"):
        shown = _roman(number).upper() if "Uc" in kind else _roman(number)
    else:
        shown = str(number)
    return f"({shown})" if kind.endswith("ParenBoth") else f"{shown})" if kind.endswith("ParenR") else f"{shown}."


def _roman(number: int) -> str:
    signs = zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        "m cm d cd c xc l xl x ix v iv i".split(),
        strict=True,
    )
    shown = ""
    for value, sign in signs:
        shown += sign * (number // value)
        number %= value
    return shown


def fill_merged_cells(slide: Any) -> None:
    """What a merged cell says in the rows that it covers, and in the first row in the columns too."""
    for table in slide.shapes._spTree.iter(f"{_A}tbl"):
        above: dict[int, str] = {}
        repeats = Repeats()
        for number, row in enumerate(table.iterchildren(f"{_A}tr")):
            left = ""
            for column, cell in enumerate(row.iterchildren(f"{_A}tc")):
                text = "".join(t.text or "" for t in cell.iter(f"{_A}t"))
                if cell.get("vMerge") in ("1", "true"):
                    _say(cell, repeats.again(above.get(column, "")))
                elif cell.get("hMerge") in ("1", "true") and number == 0:
                    _say(cell, repeats.again(left))
                else:
                    repeats.holds(text)
                    above[column] = text
                    left = text


def take_tables(slide: Any, tables: list[list[list[str]]]) -> None:
    """Put the rows of a slide's tables into `tables`, and leave in each one's place a table of one cell with its number
    there: python-pptx looks for a row by counting from the first, so that whoever asks it for all of them waits for the
    square of their number."""
    from lxml import etree

    for table in slide.shapes._spTree.iter(f"{_A}tbl"):
        lines = [*table.iterchildren(f"{_A}tr")]
        rows = [[_cell(cell) for cell in line.iterchildren(f"{_A}tc")] for line in lines]
        for line in lines:
            table.remove(line)
        if any(map(any, rows)):
            cell = etree.SubElement(etree.SubElement(table, f"{_A}tr"), f"{_A}tc")
            paragraph = etree.SubElement(etree.SubElement(cell, f"{_A}txBody"), f"{_A}p")
            etree.SubElement(etree.SubElement(paragraph, f"{_A}r"), f"{_A}t").text = str(len(tables))
            tables.append(rows)


def _cell(cell: Any) -> str:
    """A cell's text with a blank wherever a line or paragraph ends."""
    ends = (f"{_A}p", f"{_A}br")
    return one_line("".join(" " if part.tag in ends else part.text or "" for part in cell.iter(f"{_A}t", *ends)))


def _say(cell: Any, text: str) -> None:
    from lxml import etree

    paragraph = next(cell.iter(f"{_A}p"), None)
    if paragraph is not None and text:
        for old in [*paragraph.iterchildren(f"{_A}r")]:
            paragraph.remove(old)
        run = etree.Element(f"{_A}r")
        etree.SubElement(run, f"{_A}t").text = text
        properties = paragraph.find(f"{_A}pPr")
        paragraph.insert(0 if properties is None else 1, run)


def comments(slide: Any, presentation: Any) -> Iterator[tuple[str, str]]:
    """Who commented on a slide and what, in both of PowerPoint's ways of keeping it."""
    writers = {}
    for relation in presentation.part.rels.values():
        if not relation.is_external and re.search(r"/(?:commentAuthors|authors)$", relation.reltype):
            for author in parsed(relation.target_part.blob):
                writers[author.get("id")] = one_line(author.get("name") or "")
    for relation in slide.part.rels.values():
        if relation.is_external or not relation.reltype.endswith("/comments"):
            continue
        for comment in parsed(relation.target_part.blob).iter():
            if not isinstance(comment.tag, str) or comment.tag.rpartition("}")[2] not in ("cm", "reply"):
                continue
            said = [one_line("".join(t.itertext())) for t in comment if str(t.tag).endswith(("}text", "}txBody"))]
            if any(said):
                yield writers.get(comment.get("authorId"), ""), " ".join(said)


def diagrams(slide: Any) -> Iterator[Any]:
    """The trees of the data of a slide's SmartArt."""
    related = slide.part.related_parts if hasattr(slide.part, "related_parts") else {}
    for reference in slide.shapes._spTree.iter("{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"):
        name = reference.get(f"{_R}dm")
        try:
            part = related[name] if name in related else slide.part.related_part(name)
        except KeyError:
            continue
        yield parsed(part.blob)
