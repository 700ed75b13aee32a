"""Characters that show nothing, or show a text in another order than it has, made to be seen.

What isn't seen can carry orders to a model that its person never reads (letters of the block of tags, selectors that
stand for bytes), and what turns the direction of reading makes a file's name or a sum look like another. What a script
or an emoji needs stays; natural Hebrew and Arabic need none of it.
"""

from __future__ import annotations

import re

from ragapp.answer.scripts import is_complex, is_emoji, takes_variants

_RANGES = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls: all but tab and line feed
    "\u2028\u2029"  # separators of lines
    "\ud800-\udfff"  # halves of characters
    "\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f"  # direction, joining, width of nothing
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)  # Unicode's Default_Ignorable_Code_Point, and what else isn't seen
_FLAG = "\U0001f3f4(?:{})\U000e007f".format(
    "|".join("".join(chr(0xE0000 + ord(letter)) for letter in region) for region in ("gbeng", "gbsct", "gbwls"))
)
"""The flags of England, Scotland and Wales: the only ones that are written with tags."""
_RUN = re.compile(f"({_FLAG})|[{_RANGES}]+")
_NOTHING_LOST = frozenset(
    "\u00ad\u034f\u061c\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u200b\u200c\u200d\u200e\u200f"
    "\u2060\u2061\u2062\u2063\u2064\ufeff"
)
"""Hints for breaking, joining and formulas, and marks of direction that move no letter: taken out, for documents are
full of them."""
_LINES = frozenset("\r\x0b\x0c\x85\u2028\u2029")
JOINERS = frozenset("\u200c\u200d")
_SHOWN = 3
"""Marks in a row; of more the number is said."""


def seen(text: str) -> str:
    """The text with nothing in it that isn't seen: what a reader loses nothing by is taken out, separators of lines
    are line feeds, the rest stands as ‹U+202E›. A text that needs none of it comes back as it is."""
    return _RUN.sub(_spelled, text) if _RUN.search(text) else text


def seen_line(text: str) -> str:
    """The text as one line."""
    return " ".join(seen(text).split())


def escaped_json(text: str) -> str:
    """JSON that says the same, with what isn't seen written as \\u202e: safe at a terminal, and exact for programs."""
    return _RUN.sub(lambda run: run[0] if run[1] else _escapes(run[0]), text)


def _escapes(letters: str) -> str:
    units = letters.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _spelled(run: re.Match[str]) -> str:
    if run[1]:
        return run[1]
    text, base, varied = run.string, run.string[run.start() - 1 : run.start()], False
    written: list[str] = []
    marks: list[str] = []
    for at in range(run.start(), run.end()):
        letter, following = text[at], text[at + 1 : at + 2]
        if not marks and _belongs(letter, base, following, varied):
            written.append(letter)
            varied = letter not in JOINERS
        elif letter in _LINES:
            if following != "\n" or letter != "\r":
                written += [*_said(marks), "\n"]
                base, varied, marks = "\n", False, []
        elif letter not in _NOTHING_LOST:
            marks.append(f"U+{ord(letter):04X}")
    return "".join([*written, *_said(marks)])


def _said(marks: list[str]) -> list[str]:
    if len(marks) <= _SHOWN:
        return [f"‹{mark}›" for mark in marks]
    return [f"‹{marks[0]} and {len(marks) - 1} more that aren't seen›"]


def _belongs(letter: str, base: str, following: str, varied: bool) -> bool:
    """Whether script or emoji need this invisible letter between `base` and `following`."""
    if not base:
        return False
    if letter in JOINERS and is_complex(base):
        return bool(following) and not _RUN.match(following) and not varied
    if letter == "\u200d":
        return is_emoji(base) and is_emoji(following)
    return not varied and takes_variants(base, letter)
