"""HTML to blocks, and everything that becomes HTML first: Markdown, and what pandoc reads.

unstructured's own HTML elements take a page laid out by tables for one table, call short paragraphs titles and lose
list numbers; so the tree is walked here, once, with lxml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ingest.blocks import Block, Draft, block, clean, one_line
from ingest.htmltables import is_data_table, table_rows
from ingest.tables import table_blocks
from ingest.text import read_text
from ragapp.types import ElementKind

INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark math meter nobr output q "
    "ruby rb rt rp s samp small span strike strong sub sup time tt u var wbr mi mn mo mrow msup msub mtext".split()
)
_SKIPPED = frozenset("script style noscript template head svg iframe object embed canvas audio video select".split())
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_UNSHOWN = re.compile(r"<(script|style|title|head)\b.*?(?:</\1\s*>|\Z)|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_BREAK = "\x0b"
_BULLETS = frozenset("•·◦▪‣●○■□–-*")


def read_html(text: str) -> Draft:
    """Blocks of a page: headings with their levels, lists, tables by rows, code verbatim; hidden parts left out.

    What the parser can't make a tree of (nested thousands deep) is read as text without its tags.
    """
    root = _tree(text)
    walker = _Walker()
    blocks = tuple(walker.walk(root)) if root is not None else ()
    if root is None or (not blocks and not walker.hid_text):
        return read_text(_TAG.sub(" ", _UNSHOWN.sub(" ", text)))
    title = root.find(".//head/title")
    notes = ("hidden parts of the page were left out",) if walker.hid_text else ()
    return Draft(blocks, _flat("".join(title.itertext())) if title is not None else "", notes=notes)


def _tree(text: str) -> Any:
    from lxml import etree, html

    parser = html.HTMLParser(
        encoding="utf-8", huge_tree=True, no_network=True, remove_comments=True, remove_pis=True, recover=True
    )
    try:
        return html.document_fromstring(clean(text).encode("utf-8"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None


class _Walker:
    """Walks a tree without recursion; text gathers until a block begins or ends."""

    def __init__(self) -> None:
        self._gathered: list[str] = []
        self._context: list[tuple[ElementKind, int]] = [("text", 0)]
        self._numbers: dict[Any, int] = {}
        self._prefix = ""
        self._tables = 0
        self.hid_text = False

    def walk(self, root: Any) -> Iterator[Block]:
        from lxml import etree

        events = etree.iterwalk(root, events=("start", "end"))
        skipped: Any = None
        for event, element in events:
            tag = element.tag if isinstance(element.tag, str) else ""
            if event == "start":
                if not tag or tag in _SKIPPED or self._is_hidden(element):
                    events.skip_subtree()
                    skipped = element
                elif tag == "pre" or (tag == "table" and is_data_table(element)):
                    yield from self._flush()
                    yield from self._whole(tag, element)
                    events.skip_subtree()
                    skipped = element
                else:
                    yield from self._start(tag, element)
            else:
                if element is skipped:
                    skipped = None
                else:
                    yield from self._end(tag)
                if element.tail and element is not root:
                    self._gathered.append(element.tail)
        yield from self._flush()

    def _start(self, tag: str, element: Any) -> Iterator[Block]:
        if tag == "br":
            self._gathered.append(_BREAK)
        elif tag == "img":
            self._gathered.append(f" {element.get('alt', '')} ")
        elif tag not in INLINE:
            yield from self._flush()
            if tag in _HEADINGS:
                self._context.append(("title", _HEADINGS[tag]))
            elif tag == "nav":
                self._context.append(("note", 0))
            elif tag == "li":
                self._context.append(("note" if self._context[-1][0] == "note" else "list_item", 0))
                self._prefix = self._number(element)
        if element.text:
            self._gathered.append(element.text)

    def _end(self, tag: str) -> Iterator[Block]:
        if tag in INLINE or tag == "br":
            return
        yield from self._flush()
        if tag in _HEADINGS or tag in ("li", "nav"):
            self._context.pop()

    def _whole(self, tag: str, element: Any) -> Iterator[Block]:
        if tag == "pre":
            for line_break in list(element.iter("br")):
                line_break.tail = "\n" + (line_break.tail or "")
            yield from block("code", "".join(element.itertext()))
            return
        self._tables += 1
        caption = element.find("caption")
        if caption is not None:
            yield from block("text", _flat("".join(caption.itertext())))
        rows, header = table_rows(element)
        yield from table_blocks(rows, self._tables, header=header)

    def _flush(self) -> Iterator[Block]:
        text, self._gathered = _flat("".join(self._gathered)), []
        if not text or text in _BULLETS:
            return
        kind, level = self._context[-1]
        prefix, self._prefix = self._prefix, ""
        yield from block(kind, prefix + text if kind == "list_item" else text, level=level)

    def _number(self, item: Any) -> str:
        """The number that a reader sees before an item of a numbered list."""
        parent = item.getparent()
        if parent is None or parent.tag != "ol":
            return ""
        start = parent.get("start", "1")
        number = self._numbers.get(parent, int(start) if re.fullmatch(r"-?\d{1,6}", start) else 1)
        self._numbers[parent] = number + 1
        return f"{number}. "

    def _is_hidden(self, element: Any) -> bool:
        hidden = "hidden" in element.attrib or bool(_HIDDEN.search(element.get("style") or ""))
        if hidden and any(part.strip() for part in element.itertext()):
            self.hid_text = True
        return hidden


def _flat(text: str) -> str:
    """Runs of white space as one blank; line breaks of the page stay."""
    lines = (one_line(line) for line in text.split(_BREAK))
    return "\n".join(line for line in lines if line)
