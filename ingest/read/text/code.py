"""Source code and configuration as text: cut between functions, classes and keys, each part under the lines that open
what it stands in, as a table's rows stand under their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from ingest.read.blocks import Block, Draft, block, clean

_LONG = 1400
"""Characters; about what a chunk takes, and what is longer is cut further in."""
_DEEPEST = 12
_MOST_ABOVE = 4
"""Lines of an opening that are repeated; the last ones hold its name."""
_LONGEST_ABOVE = 300
"""Characters of such a line; a longer one stands whole before what it opens, and but once."""
_CLOSER = re.compile(r"^\s*(?:[)\]}]+[;,]?|end\b.*|else\b.*|elif\b.*|except\b.*|finally\b.*|catch\b.*|\*/|</.*)\s*$")
_SECTION = re.compile(r"^\s*\[{1,2}[^\[\]]+\]{1,2}\s*(?:[#;].*)?$")
_TAB = 4


def read_code(text: str) -> Draft:
    """Blocks of a program: whole functions where they fit, else parts under their first lines."""
    return Draft(tuple(_code(clean(text), _after_blank_line)))


def read_keyed(text: str) -> Draft:
    """Blocks of YAML and its like: the keys above a value stay with it; comments stay where they are."""
    return Draft(tuple(_code(clean(text), _at_each_line)))


def read_sections(text: str) -> Draft:
    """Blocks of INI, TOML and properties files: a title for each [section]."""
    return Draft(tuple(_sections(clean(text))), titled_parts=True)


def _sections(text: str) -> Iterator[Block]:
    gathered: list[str] = []
    for line in text.split("\n"):
        if _SECTION.match(line):
            yield from block("code", "\n".join(gathered))
            yield from block("title", line, level=1)
            gathered = []
        else:
            gathered.append(line)
    yield from block("code", "\n".join(gathered))


Starts = Callable[[Sequence[str], int, int], bool]
"""Whether a part may begin at this line, which is indented as far as the parts around it."""


def _after_blank_line(lines: Sequence[str], number: int, _indent: int) -> bool:
    return number == 0 or not lines[number - 1].strip()


def _at_each_line(lines: Sequence[str], number: int, indent: int) -> bool:
    above = lines[number - 1] if number else ""
    return not (above.lstrip().startswith("#") and _indent(above) == indent)


def _code(text: str, starts: Starts) -> Iterator[Block]:
    lines = [line.rstrip() for line in text.split("\n")]
    for part in _parts(lines, [], starts, 0):
        yield from block("code", "\n".join(part))


def _parts(lines: list[str], above: list[str], starts: Starts, depth: int) -> Iterator[list[str]]:
    """The lines in parts of a chunk's size, each behind the lines `above` that it stands in."""
    filled = [line for line in lines if line.strip()]
    if not filled:
        return
    small = sum(map(len, filled)) <= _LONG
    if depth >= _DEEPEST or (small and (above or starts is _at_each_line)):
        yield [*above, *lines]
        return
    base = min(map(_indent, filled))
    found = _cut(lines, base, starts)
    if len(found) > 1:
        for part in _gathered(found) if starts is _at_each_line or above else found:
            if sum(map(len, part)) <= _LONG:
                yield [*above, *part]
            else:
                yield from _parts(part, above, starts, depth + 1)
        return
    opening = next((number for number, line in enumerate(lines) if line.strip() and _indent(line) > base), 0)
    if small or not opening or opening == len(lines):
        yield [*above, *lines]
        return
    head = [line for line in lines[:opening] if line.strip()]
    repeated = [line[:_LONGEST_ABOVE] for line in head[-_MOST_ABOVE:]]
    if repeated != head:
        yield [*above, *head]
    yield from _parts(lines[opening:], [*above, *repeated], starts, depth + 1)


def _cut(lines: list[str], base: int, starts: Starts) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for number, line in enumerate(lines):
        begins = bool(line.strip()) and _indent(line) == base and not _CLOSER.match(line)
        if begins and parts[-1] and starts(lines, number, base):
            parts.append([])
        parts[-1].append(line)
    return [part for part in parts if any(line.strip() for line in part)]


def _gathered(parts: list[list[str]]) -> Iterator[list[str]]:
    """Small parts together, as far as they make one of a chunk's size."""
    group: list[str] = []
    for part in parts:
        if group and sum(map(len, group)) + sum(map(len, part)) > _LONG:
            yield group
            group = []
        group = [*group, *part]
    if group:
        yield group


def _indent(line: str) -> int:
    expanded = line.expandtabs(_TAB)
    return len(expanded) - len(expanded.lstrip())
