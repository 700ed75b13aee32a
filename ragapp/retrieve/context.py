"""From chunks to passages: near-duplicates dropped, neighbours joined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ragapp.index.schema import moment
from ragapp.retrieve.fuse import FusedHit
from ragapp.types import Passage

SHINGLE = 8
"""Words in a run when texts are compared; eight in a row rarely meet by chance."""
ALIKE = 0.9
"""Share of the shorter text's runs found in the other from which the two count as the same."""


def passage(hit: FusedHit) -> Passage:
    """A hit as a passage of one chunk."""
    kept = hit.payload
    return Passage(
        document_id=kept["document_id"],
        revision=kept["revision"],
        source=kept["source"],
        title=kept["title"],
        text=kept["text"],
        start=kept["start"],
        end=kept["end"],
        headings=tuple(kept["headings"]),
        pages=tuple(kept["pages"]),
        collection=kept["collection"],
        modified=moment(kept, "modified"),
        dated=moment(kept, "dated"),
        score=hit.score,
        scores=hit.scores,
        ordinals=(kept["ordinal"],),
        gap=kept["gap"],
        page_starts=tuple(kept["page_starts"]),
    )


def without_near_duplicates(passages: Iterable[Passage]) -> list[Passage]:
    """Drop a passage whose words stand in a better one; the better one stays where it is.

    Two dated versions of one document that differ in a figure are not duplicates: every number must agree.
    """
    kept: list[tuple[Passage, frozenset[tuple[str, ...]], frozenset[str]]] = []
    for candidate in passages:
        runs, numbers = _runs(candidate.text), _numbers(candidate.text)
        if not any(numbers == others and _alike(runs, known) for _, known, others in kept):
            kept.append((candidate, runs, numbers))
    return [candidate for candidate, _, _ in kept]


def windows(passages: Sequence[Passage], tokens: Sequence[int], room: int) -> list[list[Passage]]:
    """Passages in their order, cut into runs that a prompt of `room` tokens takes at once; `tokens` are their sizes.

    Neighbours are joined within a run only: joined with a far worse one, the best passage would push better ones out.
    """
    cut: list[list[Passage]] = []
    left = 0
    for passage, size in zip(passages, tokens, strict=True):
        if size > left or not cut:
            cut.append([])
            left = room
        cut[-1].append(passage)
        left -= size
    return cut


def joined(passages: Sequence[Passage]) -> list[Passage]:
    """Join chunks that stand next to one another in a document; the joined passage takes the best one's place.

    The text stays exactly the span of the extracted text: each chunk brings the white space before it along. Where more
    than that lies between two, it is text that no reader of the document sees, and they stay apart.
    """
    by_place = {(p.document_id, p.revision, p.ordinals[0]): p for p in passages}
    result: list[Passage] = []
    taken: set[tuple[str, int, int]] = set()
    for best in passages:
        key = (best.document_id, best.revision)
        if (*key, best.ordinals[0]) in taken:
            continue
        first = last = best.ordinals[0]
        while (before := by_place.get((*key, first - 1))) and _adjoin(before, by_place[*key, first]):
            first -= 1
        while (after := by_place.get((*key, last + 1))) and _adjoin(by_place[*key, last], after):
            last += 1
        run = [by_place[(*key, ordinal)] for ordinal in range(first, last + 1)]
        taken.update((*key, ordinal) for ordinal in range(first, last + 1))
        result.append(_one(best, run))
    return result


def _adjoin(one: Passage, other: Passage) -> bool:
    return one.end + len(other.gap) == other.start


def _one(best: Passage, run: Sequence[Passage]) -> Passage:
    text = run[0].text + "".join(p.gap + p.text for p in run[1:])
    starts: dict[int, int] = {}
    for part in run:
        for page, start in zip(part.pages, part.page_starts, strict=True):
            starts.setdefault(page, start)
    common = [level[0] for level in zip(*(p.headings for p in run), strict=False) if len(set(level)) == 1]
    return replace(
        best,
        text=text,
        start=run[0].start,
        end=run[-1].end,
        gap=run[0].gap,
        headings=tuple(common),
        pages=tuple(starts),
        page_starts=tuple(starts.values()),
        ordinals=tuple(p.ordinals[0] for p in run),
    )


def _runs(text: str) -> frozenset[tuple[str, ...]]:
    words = text.lower().split()
    length = min(SHINGLE, len(words))
    return frozenset(tuple(words[i : i + length]) for i in range(len(words) - length + 1))


def _numbers(text: str) -> frozenset[str]:
    return frozenset(word.strip(".,;:()") for word in text.split() if any(c.isdigit() for c in word))


def _alike(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> bool:
    shorter = min(len(one), len(other))
    return bool(shorter) and len(one & other) / shorter >= ALIKE
