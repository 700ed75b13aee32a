"""Spans of text and how each is cut finer: into lines or sentences, then words, then halves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ragapp.types import ElementKind

_SENTENCE_END = re.compile(r"(?<=[.!?…:;])[\"'”’»)\]]*\s+(?=[^\sa-z])|(?<=[。！？])|\s*\n\s*")
_LINE_END = re.compile(r"\n")
_CELL_END = re.compile(r"\s\|\s")
_WORD = re.compile(r"\S+")
_FEW = 64
"""Parts from which pieces are gathered into runs first, so that a long text is cut by halves and not word by word."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A span of a document's text that starts and ends with something visible."""

    kind: ElementKind
    start: int
    end: int
    tokens: int = 0
    part: bool = False
    """Cut from an element, so it need not be kept whole."""


def trimmed(text: str, piece: Piece) -> Piece | None:
    """The piece without white space at its ends; None when nothing is left."""
    start, end = piece.start, piece.end
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Piece(piece.kind, start, end, 0, piece.part) if start < end else None


def finer(text: str, piece: Piece) -> list[Piece]:
    """The piece in smaller ones that hold the same visible characters, in order; itself when it is one character."""
    for cuts in (_structural(text, piece), _words(text, piece)):
        parts = [part for start, end in cuts if (part := trimmed(text, Piece(piece.kind, start, end, 0, True)))]
        if len(parts) > 1:
            return parts
    middle = (piece.start + piece.end) // 2
    halves = ((piece.start, middle), (middle, piece.end))
    return [part for start, end in halves if (part := trimmed(text, Piece(piece.kind, start, end, 0, True)))]


def _structural(text: str, piece: Piece) -> Iterator[tuple[int, int]]:
    pattern = _LINE_END if piece.kind == "code" else _CELL_END if piece.kind == "table_row" else _SENTENCE_END
    position = piece.start
    for found in pattern.finditer(text, piece.start, piece.end):
        if found.end() > position:
            yield position, found.end()
            position = found.end()
    yield position, piece.end


def _words(text: str, piece: Piece) -> Iterator[tuple[int, int]]:
    """Runs of words: the words themselves when they are few, else about _FEW runs of equal numbers of them."""
    starts = [found.start() for found in _WORD.finditer(text, piece.start, piece.end)]
    step = max(1, len(starts) // _FEW)
    firsts = starts[::step]
    yield from zip(firsts, [*firsts[1:], piece.end], strict=True)
