"""What every reader of a format hands on: blocks in reading order, and how they become one text with spans."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from ragapp.types import Box, Element, ElementKind, Word


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A word of a block: where it stands in the block's text, and on its page."""

    start: int
    end: int
    box: Box


@dataclass(frozen=True, slots=True)
class Block:
    """One element before it has a place in the text. `text` neither starts nor ends with white space."""

    kind: ElementKind
    text: str
    level: int = 0
    page: int | None = None
    table: int | None = None
    words: tuple[PlacedWord, ...] = ()
    hidden: bool = False
    """A reader of the document would not see it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a reader found in one file; the door completes it (title, language, date) and assembles the text."""

    blocks: tuple[Block, ...]
    title: str = ""
    """The title that the file gives itself apart from its text: metadata, a subject."""
    pages: int | None = None
    page_sizes: tuple[tuple[float, float], ...] = ()
    dated: datetime | None = None
    notes: tuple[str, ...] = ()
    titled_parts: bool = False
    """The first heading names a part, such as a sheet, and not the whole."""
    left_out: int = 0
    """Pages that are only a picture and were not read."""
    by_ocr: int = 0
    """Pages that were read by OCR."""


_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SPACES = re.compile(r"\s+")


def clean(text: str) -> str:
    """Text without control characters, lone surrogates and foreign line ends; otherwise verbatim."""
    # true of most cells and lines, and told ten times faster than three patterns look for what is wrong
    if text.isprintable():
        return text
    text = _LINE_ENDS.sub("\n", text)
    text = _CONTROL.sub("", text)
    return _SURROGATE.sub("\ufffd", text)


def one_line(text: str) -> str:
    """Text with every run of white space as one blank."""
    # of white space only the blank is printable
    if "  " not in text and text.isprintable():
        return text.strip(" ")
    return _SPACES.sub(" ", clean(text)).strip()


def block(
    kind: ElementKind,
    text: str,
    *,
    level: int = 0,
    page: int | None = None,
    table: int | None = None,
    hidden: bool = False,
) -> Iterator[Block]:
    """The block of this text, or nothing where the text is blank."""
    text = clean(text).strip("\n") if kind == "code" else clean(text)
    if stripped := text.strip():
        yield Block(kind, stripped, level, page, table, hidden=hidden)


def levelled(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Titles always have a level of 1 or more, and nothing else has one."""
    return tuple(
        replace(b, level=max(1, b.level)) if b.kind == "title" else (replace(b, level=0) if b.level else b)
        for b in blocks
    )


def hidden_last(blocks: Iterable[Block]) -> Iterator[Block]:
    """Hidden blocks behind the visible ones of their section: left among them, each would cut the text around it."""
    waiting: list[Block] = []
    for piece in blocks:
        if piece.hidden:
            waiting.append(piece)
            continue
        if piece.kind == "title":
            yield from waiting
            waiting = []
        yield piece
    yield from waiting


def assemble(blocks: Iterable[Block]) -> tuple[str, tuple[Element, ...], tuple[Word, ...]]:
    """The whole text, its elements and its words. Rows of one table and list items stand on lines of their own,
    everything else is set apart by an empty line."""
    parts: list[str] = []
    elements: list[Element] = []
    words: list[Word] = []
    position = 0
    before: Block | None = None
    for piece in blocks:
        gap = "" if before is None else _gap(before, piece)
        start = position + len(gap)
        end = start + len(piece.text)
        parts += (gap, piece.text)
        elements.append(Element(piece.kind, start, end, piece.page, piece.level, piece.table, piece.hidden))
        words += [Word(start + word.start, start + word.end, word.box) for word in piece.words]
        position, before = end, piece
    return "".join(parts), tuple(elements), tuple(words)


def _gap(before: Block, after: Block) -> str:
    rows = before.kind == after.kind == "table_row" and before.table == after.table
    items = before.kind == after.kind == "list_item"
    return "\n" if rows or items else "\n\n"
