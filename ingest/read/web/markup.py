"""HTML to blocks, and everything that becomes HTML first: Markdown, and what pandoc reads.

unstructured's own HTML elements take a page laid out by tables for one table, call short paragraphs titles and lose
list numbers; so the tree is walked here, once, with lxml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ingest.read.blocks import Block, Draft, block, clean, hidden_last, one_line
from ingest.read.tables import table_blocks
from ingest.read.text.plain import read_text
from ingest.read.web.tables import is_data_table, table_rows
from ingest.read.web.visibility import HIDDEN_TAG, mark_hidden
from ragapp.types import ElementKind

INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark math meter nobr output q "
    "ruby rb rt rp s samp small span strike strong sub sup time tt u var wbr mi mn mo mrow msup msub mtext".split()
)
_SKIPPED = frozenset(
    "script style noscript template head svg iframe object embed canvas audio video select datalist".split()
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_TITLED_BY_BUTTON = frozenset(("h1", "h2", "h3", "h4", "h5", "h6", "summary", "dt"))
_TAG = re.compile(r"<[^>]*>")
_UNSHOWN = re.compile(r"<(script|style|title|head)\b.*?(?:</\1\s*>|\Z)|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_BREAK = "\x0b"
_PARAGRAPH = re.compile(r"\x0b\s*\x0b[\s\x0b]*")
_ROUND_BULLETS = frozenset("•·◦▪‣●○■□")
_BULLETS = frozenset((*_ROUND_BULLETS, "–", "-", "*"))


def read_html(text: str) -> Draft:
    """Blocks of a page: headings with their levels, lists, tables by rows, code verbatim; what isn't seen is hidden.

    What the parser can't make a tree of (nested thousands deep) is read as text without its tags.
    """
    root = _tree(text)
    hid = mark_hidden(root) if root is not None else False
    blocks = tuple(hidden_last(_Walker().walk(root))) if root is not None else ()
    if not blocks:
        return read_text(_TAG.sub(" ", _UNSHOWN.sub(" ", text)))
    title = root.find(".//head/title")
    notes = ("text that the page hides is kept apart and never answered from",) if hid else ()
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
        self._terms: list[str] = []
        self._unseen: list[str] = []

    def walk(self, root: Any) -> Iterator[Block]:
        from lxml import etree

        events = etree.iterwalk(root, events=("start", "end"))
        skipped: Any = None
        for event, element in events:
            tag = element.tag if isinstance(element.tag, str) else ""
            if event == "start":
                if tag == HIDDEN_TAG:
                    self._unseen.append(element.text or "")
                    events.skip_subtree()
                    skipped = element
                elif not tag or tag in _SKIPPED or (tag == "button" and not _is_title_button(element)):
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
            if tag in ("dt", "dd") and element.getparent().tag == "dt":
                # libxml2 leaves a term open until its list ends
                yield from self._end("dt")
            yield from self._flush()
            if tag == "footer":
                self._context.append(("note", 0))
            elif tag in _HEADINGS:
                self._context.append(("title", _HEADINGS[tag]))
            elif tag == "li":
                self._context.append(("list_item", 0))
                self._prefix = self._number(element)
            elif tag == "dd":
                self._context.append(("list_item", 0))
                self._prefix, self._terms = (f"{', '.join(self._terms)}: " if self._terms else ""), []
        if element.text:
            self._gathered.append(element.text)

    def _end(self, tag: str) -> Iterator[Block]:
        if tag in INLINE or tag == "br" or (tag == "button" and self._context[-1][0] == "title"):
            return
        if tag == "dt":
            if term := _flat("".join(self._gathered)):
                self._terms.append(term.rstrip(":"))
            self._gathered = []
            return
        yield from self._flush()
        if tag == "dl" and self._terms:
            yield from block("text", ", ".join(self._terms))
            self._terms = []
        if tag in _HEADINGS or tag in ("li", "dd", "footer"):
            self._context.pop()

    def _whole(self, tag: str, element: Any) -> Iterator[Block]:
        for hidden in list(element.iter(HIDDEN_TAG)):
            self._unseen.append(hidden.text or "")
            hidden.text = ""
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
        text, self._gathered = "".join(self._gathered), []
        unseen, self._unseen = self._unseen, []
        # two line breaks in a row are how older pages and mails set paragraphs apart
        parts = _PARAGRAPH.split(text) if self._context[-1][0] == "text" else [text]
        for part in parts:
            yield from self._visible(_flat(part))
        for each in unseen:
            yield from block("text", each, hidden=True)

    def _visible(self, text: str) -> Iterator[Block]:
        if not text or text in _BULLETS:
            return
        kind, level = self._context[-1]
        if kind == "text" and len(text) > 2 and text[0] in _ROUND_BULLETS and text[1] == " ":
            kind, text = "list_item", text[2:]
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


def _is_title_button(element: Any) -> bool:
    """Whether a button is what one clicks to open a part, and so that part's heading."""
    return any(up.tag in _TITLED_BY_BUTTON for up in element.iterancestors())


def _flat(text: str) -> str:
    """Runs of white space as one blank; line breaks of the page stay."""
    lines = (one_line(line) for line in text.split(_BREAK))
    return "\n".join(line for line in lines if line)
