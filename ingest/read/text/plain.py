"""Plain text: paragraphs as they are set apart, list items, underlined headings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.read.blocks import Block, Draft, block, clean

_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_ITEM = re.compile(r"^[ \t]*(?:[-*•‣◦▪–·]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])[ \t]+\S")
_RULE = re.compile(r"^[=\-~_*#]{3,}[ \t]*$")
_NUMBERED = re.compile(r"^(?:§\s*)?(\d{1,2}(?:\.\d{1,2}){0,4})[.)]?[ \t]+[^\W\d_]")
_LONGEST_TITLE = 90
_SHORT_TITLE = 60


def read_text(text: str) -> Draft:
    """Blocks of a text; nothing of it is changed but line ends and control characters."""
    return Draft(tuple(_blocks(clean(text))))


def _blocks(text: str) -> Iterator[Block]:
    for paragraph in _BLANK_LINES.split(text):
        lines = [line.rstrip() for line in paragraph.split("\n") if line.strip()]
        if lines:
            yield from _paragraph(lines)


def _paragraph(lines: list[str]) -> Iterator[Block]:
    if len(lines) > 1 and _RULE.match(lines[1]) and len(lines[0]) <= _LONGEST_TITLE:
        yield from block("title", "\n".join(lines[:2]), level=1 if lines[1][0] == "=" else 2)
        lines = lines[2:]
    if not lines:
        return
    if len(lines) == 1 and (level := title_level(lines[0])):
        yield from block("title", lines[0], level=level)
        return
    if _heads(lines):
        yield from block("title", lines[0], level=title_level(lines[0]))
        lines = lines[1:]
    starts = [number for number, line in enumerate(lines) if _ITEM.match(line)]
    if not starts:
        yield from block("text", "\n".join(lines))
        return
    yield from block("text", "\n".join(lines[: starts[0]]))
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield from block("list_item", "\n".join(lines[start:end]))


def _heads(lines: list[str]) -> bool:
    """Whether the first line is a numbered heading right above its text."""
    return (
        len(lines) > 1
        and len(lines[0]) <= _SHORT_TITLE
        and bool(_NUMBERED.match(lines[0]))
        and bool(title_level(lines[0]))
        and lines[1][:1].isupper()
        and not any(_ITEM.match(line) for line in lines[1:])
    )


def title_level(line: str) -> int:
    """The level of a line that stands alone and reads as a heading, else 0: numbered, or in capitals."""
    line = line.strip()
    if not 2 < len(line) <= _LONGEST_TITLE or line[-1] in ".,;:!?":
        return 0
    if numbered := _NUMBERED.match(line):
        return min(6, 2 + numbered.group(1).count("."))
    letters = [character for character in line if character.isalpha()]
    capitals = len(letters) > 3 and all(character.isupper() for character in letters)
    return 1 if capitals and len(letters) > 0.6 * len(line.replace(" ", "")) else 0
