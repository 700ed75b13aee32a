"""unstructured's elements as blocks: tables by rows, titles with levels, nothing of their text lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ingest.read.blocks import Block, block
from ingest.read.tables import Rows, table_blocks
from ragapp.types import ElementKind

_KINDS: dict[str, ElementKind] = {"ListItem": "list_item", "CodeSnippet": "code", "Header": "note", "Footer": "note"}

LevelOf = Callable[[Any], int]
"""The level of an element that unstructured calls a title; 0 where it is none."""


def blocks_of(elements: Iterable[Any], level_of: LevelOf, tables: Sequence[Rows] = ()) -> Iterator[Block]:
    """Blocks of a partitioner's elements. Headers and footers that repeat are kept once; where there are `tables`, what
    it calls one holds the place of its rows there."""
    seen: set[str] = set()
    for element in elements:
        page = element.metadata.page_number
        if element.category == "PageBreak":
            continue
        if element.category in ("Header", "Footer"):
            if element.text in seen:
                continue
            seen.add(element.text)
        if element.category == "Table" and tables:
            place = int(element.text)
            yield from table_blocks(tables[place], place + 1, page=page)
        elif element.category == "Title" and (level := level_of(element)):
            yield from block("title", element.text, level=level, page=page)
        else:
            yield from block(_KINDS.get(element.category, "text"), element.text, page=page)
