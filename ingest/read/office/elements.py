"""unstructured's elements as blocks: tables by rows, titles with levels, nothing of their text lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ingest.read.blocks import Block, block
from ingest.read.tables import table_blocks
from ingest.read.web.tables import table_rows
from ragapp.types import ElementKind

_KINDS: dict[str, ElementKind] = {"ListItem": "list_item", "CodeSnippet": "code", "Header": "note", "Footer": "note"}

LevelOf = Callable[[Any], int]
"""The level of an element that unstructured calls a title; 0 where it is none."""


def blocks_of(elements: Iterable[Any], level_of: LevelOf) -> Iterator[Block]:
    """Blocks of a partitioner's elements. Headers and footers that repeat are kept once."""
    tables = 0
    seen: set[str] = set()
    for element in elements:
        page = element.metadata.page_number
        if element.category == "PageBreak":
            continue
        if element.category in ("Header", "Footer"):
            if element.text in seen:
                continue
            seen.add(element.text)
        if element.category == "Table" and element.metadata.text_as_html:
            tables += 1
            yield from html_table(element.metadata.text_as_html, tables, page)
        elif element.category == "Title" and (level := level_of(element)):
            yield from block("title", element.text, level=level, page=page)
        else:
            yield from block(_KINDS.get(element.category, "text"), element.text, page=page)


def html_table(text: str, table: int, page: int | None) -> Iterator[Block]:
    """The rows of one table that is given as HTML."""
    from lxml import html

    root = html.fragment_fromstring(text, create_parent="div")
    rows, header = table_rows(root)
    yield from table_blocks(rows, table, header=header, page=page)
