"""Patterns over the paths of files, one meaning for every kind of source.

A path is relative to the source's root and "/"-separated. Within one segment `*`, `?`, `[abc]` and `[!abc]` mean what
they mean in `fnmatch`, with case counting. `**` as a whole segment stands for any number of folders, none included. A
pattern with no "/" before its end is looked for at any depth (`*.pdf`), any other starts at the root (`hr/*.pdf`,
`/*.pdf`). A "/" at the end means all that lies below (`drafts/`).
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_Segment = re.Pattern[str] | None
"""None stands for `**`."""


def matches(pattern: str, path: str) -> bool:
    """Whether a whole relative path is meant by a pattern."""
    segments = _compiled(pattern)
    reached = _closure({0}, segments)
    for name in path.split("/"):
        reached = _closure(
            {
                at if segment is None else at + 1
                for at in reached
                if at < len(segments) and ((segment := segments[at]) is None or segment.match(name))
            },
            segments,
        )
    return len(segments) in reached


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files of a source are wanted: those that any of `include` means (all, where it is empty) and none of
    `exclude`."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, path: str) -> bool:
        wanted = not self.include or any(matches(pattern, path) for pattern in self.include)
        return wanted and not self.leaves_out(path)

    def leaves_out(self, path: str) -> bool:
        return any(matches(pattern, path) for pattern in self.exclude)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Sequence[_Segment]:
    text = f"{pattern}**" if pattern.endswith("/") else pattern
    anywhere = "/" not in pattern.rstrip("/")
    names = (f"**/{text}" if anywhere else text).strip("/").split("/")
    # of several `**` after one another each could stand for the same folders, and one says as much
    said = [name for at, name in enumerate(names) if name != "**" or names[at - 1 : at] != ["**"]]
    return tuple(None if name == "**" else re.compile(fnmatch.translate(name)) for name in said)


def _closure(reached: set[int], segments: Sequence[_Segment]) -> set[int]:
    """With the places that are reached because `**` may stand for no folder at all."""
    more = set(reached)
    for at in sorted(reached):
        step = at
        while step < len(segments) and segments[step] is None:
            step += 1
            more.add(step)
    return more
