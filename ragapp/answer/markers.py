"""Markers in generated text, in the ways that models have of writing them, and what only looks like one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragapp.types import Passage

_NAMED = r"(?:sources?|passages?|documents?|docs?|ref(?:erence)?s?|quellen?|nr|no)\b[.:]?"
_NUMBERS = r"\d+(?:\s*(?:,|;|&|-|\u2013|and|und)\s*\d+)*"
MARK = rf"(?:\[\s*(?:{_NAMED}\s*#?)?\s*{_NUMBERS}\s*\]|\u3010[^\u3011\n]{{0,24}}\u3011)"
"""A marker, as one regular expression: its number or numbers alone, or behind the word for a source."""
_OURS = re.compile(r"\[\s*(?:source\s*)?(\d+(?:\s*[,;]\s*\d+)*)\s*\]", re.IGNORECASE)
_BARE = re.compile(rf"[\[\u3010]\s*(?:source\s*)?{_NUMBERS}\s*[\]\u3011]", re.IGNORECASE)
_LIKE_ONE = re.compile(
    rf"\s*(?:{MARK}|\[\s*(?:source|quelle)?\s*\d*[^\]\s]{{0,12}}\]|[\[(]\s*{_NAMED}\s*#?\d[^\])\n]{{0,24}}[\])])",
    re.IGNORECASE,
)


def unmarked(sentence: str, passages: Sequence[Passage]) -> tuple[str, list[int]]:
    """The sentence without markers, and the numbers that they named. What a passage says in brackets stays."""
    named: list[int] = []
    said = ""

    def without(match: re.Match[str]) -> str:
        nonlocal said
        said = said or " ".join(" ".join(passage.text for passage in passages).split())
        if _is_said(match, said, len(passages)):
            return match.group()
        if ours := _OURS.fullmatch(match.group().strip()):
            named.extend(int(number) for number in re.findall(r"\d+", ours.group(1)))
        return ""

    return _LIKE_ONE.sub(without, sentence).strip(), named


def _is_said(match: re.Match[str], said: str, passages: int) -> bool:
    """Whether a passage holds these brackets, as [not], list[0] or an interval. Bare numbers that could name passages
    are markers all the same: ours, or a document's footnotes, which would be taken for ours."""
    own = " ".join(match.group().split())
    if not _BARE.fullmatch(own):
        return own in said
    numbers = [int(number) for number in re.findall(r"\d+", own)]
    if all(numbers) and (len(numbers) == 1 or max(numbers) <= passages):
        return False
    before = re.search(r"\S*$", match.string[: match.start()])
    gap = " " if match.group()[0].isspace() else ""
    return f"{before.group() if before else ''}{gap}{own}".strip() in said
