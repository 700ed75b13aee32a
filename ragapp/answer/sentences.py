"""Cutting text into sentences: of passages, with their spans, and of a stream, as soon as each is complete."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ragapp.answer.markers import MARK

_CLOSERS = "[\"'\u201d\u2019)\\]\u300d\u300f]*"
_END = re.compile(
    rf"[.!?]{_CLOSERS}(?:\s*{MARK})*(?=\s|$)|[\u3002\uff01\uff1f]{_CLOSERS}(?:\s*{MARK})*|\n+", re.IGNORECASE
)
_SHORT = re.compile(
    r"(?:\b(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|Hr|Fr|St|Std|No|Nr|Nrn|Art|Abs|Sec|Fig|Abb|Kap|Vol|pp|[Ee]xt|Tel|[Dd]ept|approx|ca|bzw|vgl"
    r"|ggf|evtl|gem|inkl|incl|exkl|excl|zzgl|max|min|Mio|Mrd|usw|etc|resp|vs|Inc|Ltd|Co|Corp|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept"
    r"|Oct|Nov|Dec|z\.B|e\.g|i\.e|d\.h|u\.a)|(?:^|\s)\d{1,3})\.$"
)
"""A full stop after one of these ends no sentence; a bare number with a full stop opens a list or a German date."""
_ABBREVIATED = re.compile(r"(?<![^\W\d_])[^\W\d_]{1,4}\.$")
_GOES_ON = re.compile(r"[^\S\n]*([^\W\d_])")
"""A full stop behind a short word and before a small letter ends no sentence: it stands for the rest of the word."""
_OPEN = re.compile(rf"(?:{MARK}\s*)*(?:\[[^\]\n]{{0,24}}|\u3010[^\u3011\n]{{0,24}})?", re.IGNORECASE)
"""Markers, and what may become one."""
_LEADER = "...."
"""Dots that lead the eye to a figure at the end of a line."""
_COLUMNS = re.compile(r"\S(?:\t| {3,})\S")
"""What keeps the cells of a row apart in plain text."""
_ITEM = re.compile(r"\s*(?:[-*\u2022#|]|\d+[.)])")
FULL_LINE = 50
"""Characters from which a line may have been broken for being full; headings and cells are shorter."""


def spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence or line, without the white space around it."""
    found: list[tuple[int, int]] = []
    start = 0
    for end in _ends(text):
        _add(found, text, start, end)
        start = end
    _add(found, text, start, len(text))
    return found


class SentenceStream:
    """Collects generated text and gives back each sentence once what follows shows that it is complete."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> list[str]:
        """Sentences that this piece of text completed."""
        self._held += text
        done: list[str] = []
        start = 0
        for end in _ends(self._held):
            # A marker may still follow the full stop, so the sentence waits for the next one's first letter.
            rest = self._held[end:].lstrip()
            if _OPEN.fullmatch(rest):
                break
            if sentence := self._held[start:end].strip():
                done.append(sentence)
            start = end
        self._held = self._held[start:]
        return done

    def rest(self) -> str:
        """What is left when the stream has ended."""
        held, self._held = self._held.strip(), ""
        return held


def _ends(text: str) -> Iterator[int]:
    for match in _END.finditer(text):
        upto = text[max(0, match.end() - 16) : match.end()].rstrip()
        if match.group().startswith(".") and (_SHORT.search(upto[-12:]) or upto.endswith(_LEADER)):
            continue
        following = _GOES_ON.match(text, match.end())
        if match.group() == "." and following and following[1].islower() and _ABBREVIATED.search(upto):
            continue
        if match.group() == "\n" and _wraps(text, match.start()):
            continue
        if match.end() > 0:
            yield match.end()


def _wraps(text: str, newline: int) -> bool:
    """Whether a line was only broken because it was full: long, no row of a table, and its sentence not at an end."""
    line = text[text.rfind("\n", 0, newline) + 1 : newline].rstrip()
    following = text[newline + 1 : newline + 60].lstrip(" \t")
    row = " | " in line or _LEADER in line or _COLUMNS.search(line)
    goes_on = bool(line) and line[-1] not in ".!?:;|" and not row
    return goes_on and len(line) >= FULL_LINE and following[:1] not in ("", "\n") and not _ITEM.match(following)


def _add(found: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    left = start + len(piece) - len(piece.lstrip())
    right = start + len(piece.rstrip())
    if left < right:
        found.append((left, right))
