"""Markdown by way of HTML, with what Markdown's own readers would drop: front matter and <placeholders>."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ingest.read.blocks import Block, Draft, clean
from ingest.read.dates import parse_date
from ingest.read.text.plain import read_text
from ingest.read.web.markup import INLINE, read_html

if TYPE_CHECKING:
    from collections.abc import Sequence

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FIELD = re.compile(r"^([A-Za-z_-]+)[ \t]*:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9-]*)")
_BLOCK_TAGS = frozenset(
    "address article aside blockquote body br button caption center col colgroup dd details div dl dt fieldset "
    "figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hr html iframe input legend li link main menu meta "
    "nav noscript object ol optgroup option p picture pre script section select source style summary svg table "
    "tbody td template textarea tfoot th thead title tr track ul video".split()
)
_LARGEST = 8 << 20
"""Characters; beyond this a file is a log or a dump, and is read as plain text in a fraction of the time."""


def read_markdown(text: str) -> Draft:
    """Blocks of a Markdown file; front matter gives title and date and stays as a note."""
    text = clean(text)
    if len(text) > _LARGEST:
        return replace(read_text(text), notes=("read as plain text, since it is too large for Markdown",))
    matter = _FRONT_MATTER.match(text)
    body = text[matter.end() :] if matter else text
    draft = read_html(_rendered(body))
    if not draft.blocks:
        draft = read_text(body)
    if not matter:
        return replace(draft, title="")
    fields = {name.lower(): value.strip("\"'") for name, value in _FIELD.findall(matter.group(1))}
    note = matter.group(1).strip()
    blocks = (Block("note", note), *draft.blocks) if note else draft.blocks
    return Draft(blocks, fields.get("title", ""), dated=parse_date(fields.get("date", "")), notes=draft.notes)


def _rendered(text: str) -> str:
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": True, "maxNesting": 100}).enable(["table", "strikethrough"])
    reader.add_render_rule("html_inline", _raw_html)
    reader.add_render_rule("html_block", _raw_html)
    return str(reader.render(text))


def _raw_html(_renderer: Any, tokens: Sequence[Any], index: int, *_rest: Any) -> str:
    """HTML stays HTML; <your-name> and its like are words of the text."""
    content = str(tokens[index].content)
    names = [name.lower() for name in _TAG.findall(content)]
    known = content.startswith(("<!--", "<!", "<?")) or all(name in _BLOCK_TAGS or name in INLINE for name in names)
    return content if known else html.escape(content)
