"""A Word document's tree made plain before unstructured walks it: as its last reader sees it, with marks on what only
the tree tells (levels of headings, hidden text, notes).

python-docx and unstructured read runs and paragraphs; what stands in text boxes, insertions, fields and equations is
put into such paragraphs here.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from ingest.read.office.equations import linear
from ingest.read.office.wordstyles import Style, W, is_on, is_unseen, over, styles_of

M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_XML_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_WRAPPERS = {
    f"{W}{name}": f"{W}{name}" for name in ("ins", "moveTo", "smartTag", "fldSimple", "customXml", "dir", "bdo")
} | {f"{W}sdt": f"{W}sdtContent"}
_INLINE = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}inline"
_MARKS = 0xF5A00
"""First of a few private characters that carry a mark through unstructured; such a character in a text is dropped."""
HIDDEN, NOTE = 10, 11
_SYMBOLS = {"F0FE": "☒", "F0FD": "☒", "F078": "☒", "F0A8": "☐", "F06F": "☐", "F0FC": "✓", "F0E0": "→", "F0B7": "•"}


def mark(number: int) -> str:
    """The character that says what a paragraph is: 1 to 9 a title of that level, HIDDEN or NOTE."""
    return chr(_MARKS + number)


def marked(text: str) -> tuple[int, str]:
    """The mark that a text carries, 0 for none, and the text without it."""
    number = next((ord(c) - _MARKS for c in text if _MARKS < ord(c) <= _MARKS + NOTE), 0)
    return number, "".join(c for c in text if not _MARKS <= ord(c) <= _MARKS + NOTE) if number else text


def make_plain(document: Any) -> None:
    """Change the document in memory so that its paragraphs and tables hold all that its reader sees."""
    body = document.element.body
    _drop_unaccepted(body)
    _lift_text_boxes(body)
    _unwrap(body)
    _drop_marks(body)
    _spell_out(body)
    styles = styles_of(document)
    _open_single_cells(body)
    _set_hidden_apart(body, styles, _has_ground(document))
    _mark_titles(body, styles)
    _keep_paragraphs_whole(body)


def _drop_unaccepted(body: Any) -> None:
    """Tracked changes as if they were accepted: what was deleted or moved away goes."""
    for row in [*body.iter(f"{W}tr")]:
        if row.find(f"{W}trPr/{W}del") is not None:
            row.getparent().remove(row)
    for gone in [*body.iter(f"{W}del", f"{W}moveFrom")]:
        parent = gone.getparent()
        if parent is not None and parent.tag not in (f"{W}rPr", f"{W}trPr"):
            parent.remove(gone)


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
    for box in list(body.iter(f"{W}txbxContent")):
        anchor = next((up for up in box.iterancestors(f"{W}p")), None)
        # a shape in the line is a word of its sentence, and unstructured reads it there
        if anchor is None or next(box.iterancestors(_INLINE), None) is not None:
            continue
        for paragraph in reversed(list(box)):
            anchor.addnext(paragraph)


def _drop_marks(body: Any) -> None:
    for text in body.iter(f"{W}t"):
        if text.text and any(_MARKS <= ord(c) <= _MARKS + NOTE for c in text.text):
            text.text = marked(text.text)[1]


def _spell_out(body: Any) -> None:
    """Equations, symbols and the boxes of forms as characters."""
    for equation in list(body.iter(f"{M}oMath")):
        parent = equation.getparent()
        if parent.tag == f"{M}oMathPara":
            equation, parent = parent, parent.getparent()
            if parent is None:
                continue
        if said := linear(equation):
            parent.replace(equation, run(said))
    for symbol in list(body.iter(f"{W}sym")):
        shown = _SYMBOLS.get((symbol.get(f"{W}char") or "").upper())
        if shown and symbol.getparent() is not None:
            symbol.getparent().replace(symbol, _text(shown))
    for box in list(body.iter(f"{W}checkBox")):
        state = box.find(f"{W}checked")
        state = state if state is not None else box.find(f"{W}default")
        ticked = state is not None and is_on(state)
        begin = next(box.iterancestors(f"{W}fldChar"), None)
        if begin is not None:
            begin.addnext(_text("☒ " if ticked else "☐ "))


def run(text: str) -> Any:
    """A new run of text."""
    from docx.oxml import OxmlElement

    made = OxmlElement("w:r")
    made.append(_text(text))
    return made


def paragraph(text: str, kind: int) -> Any:
    """A new paragraph that carries a mark."""
    from docx.oxml import OxmlElement

    made = OxmlElement("w:p")
    made.append(run(mark(kind) + text))
    return made


def _text(text: str) -> Any:
    from docx.oxml import OxmlElement

    made = OxmlElement("w:t")
    made.text = text
    made.set(_XML_SPACE, "preserve")
    return made


def _has_ground(document: Any) -> bool:
    return document.element.find(f"{W}background") is not None


def _set_hidden_apart(body: Any, styles: dict[str, Style], ground: bool) -> None:
    """Hidden runs into a marked paragraph behind the paragraph or the table that they stand in."""
    for lines in [*body.iter(f"{W}p")]:
        properties = lines.find(f"{W}pPr")
        named = properties.find(f"{W}pStyle") if properties is not None else None
        base = over(styles.get(named.get(f"{W}val"), Style()) if named is not None else Style(), None, properties)
        unseen = [each for each in lines.iter(f"{W}r") if is_unseen(each, base, styles, ground)]
        text = "".join(t.text or "" for each in unseen for t in each.iter(f"{W}t"))
        for each in unseen:
            each.getparent().remove(each)
        if text.strip():
            holder = next((up for up in reversed([*lines.iterancestors()]) if up.tag == f"{W}tbl"), lines)
            holder.addnext(paragraph(" ".join(text.split()), HIDDEN))


def _mark_titles(body: Any, styles: dict[str, Style]) -> None:
    """Paragraphs with an outline level, their own or by a style of whatever name, are titles of that level."""
    for lines in body.iterchildren(f"{W}p"):
        properties = lines.find(f"{W}pPr")
        if properties is None or not any((t.text or "").strip() for t in lines.iter(f"{W}t")):
            continue
        named = properties.find(f"{W}pStyle")
        base = styles.get(named.get(f"{W}val"), Style()) if named is not None else Style()
        level = over(base, None, properties).outline
        if level is not None and 0 <= level <= 8:
            lines.insert(lines.index(properties) + 1, run(mark(level + 1)))


def _open_single_cells(body: Any) -> None:
    """Tables of one cell only frame a text: their paragraphs come out."""
    for table in reversed([*body.iter(f"{W}tbl")]):
        cells = [cell for row in table.iterchildren(f"{W}tr") for cell in row.iterchildren(f"{W}tc")]
        if len(cells) == 1 and table.getparent() is not None:
            for child in cells[0]:
                if child.tag in (f"{W}p", f"{W}tbl"):
                    table.addprevious(deepcopy(child))
            table.getparent().remove(table)


def _keep_paragraphs_whole(body: Any) -> None:
    """A paragraph that goes on over a page's end belongs to the page it begins on; the break comes behind it."""
    from docx.oxml import OxmlElement

    for rendered in list(body.iter(f"{W}lastRenderedPageBreak")):
        lines = next(rendered.iterancestors(f"{W}p"), None)
        if lines is None or lines.getparent() is not body or not _has_text_before(lines, rendered):
            continue
        rendered.getparent().remove(rendered)
        empty, holder = OxmlElement("w:p"), OxmlElement("w:r")
        holder.append(rendered)
        empty.append(holder)
        lines.addnext(empty)


def _has_text_before(lines: Any, rendered: Any) -> bool:
    for element in lines.iter():
        if element is rendered:
            return False
        if element.tag == f"{W}t" and (element.text or "").strip() and marked(element.text)[1].strip():
            return True
    return False


def references(body: Any) -> Iterator[tuple[Any, str, str]]:
    """Where foot- and endnotes are referred to: the paragraph or table of the body, the kind and the note's number."""
    for reference in body.iter(f"{W}footnoteReference", f"{W}endnoteReference"):
        holder = next((up for up in reference.iterancestors() if up.getparent() is body), None)
        if holder is not None:
            kind = "footnotes" if reference.tag == f"{W}footnoteReference" else "endnotes"
            yield holder, kind, reference.get(f"{W}id") or ""
