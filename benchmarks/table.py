"""A measured ratio and how it is shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One promise: ours and the baseline's figure of the same run, their ratio, and the ratio wanted."""

    bench: str
    ours: str
    baseline: str
    ratio: float
    wanted: str
    """Such as "≥ 0.8"."""

    @property
    def kept(self) -> bool:
        """Whether the promise held in this run."""
        sign, bound = self.wanted.split()
        return self.ratio >= float(bound) if sign == "≥" else self.ratio <= float(bound)


def as_markdown(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    head = "| bench | ours | baseline | ratio | wanted | |\n| --- | --- | --- | --- | --- | --- |\n"
    return head + "".join(
        f"| {r.bench} | {r.ours} | {r.baseline} | {r.ratio:.{2 if r.ratio >= 0.1 else 4}f} | {r.wanted} "
        f"| {'kept' if r.kept else 'MISSED'} |\n"
        for r in rows
    )


def print_rows(measure: Callable[[], Sequence[Row]]) -> None:
    """What a bench does when it is run by itself: a table, or with --json a line for the collector."""
    rows = measure()
    if "--json" in sys.argv:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        print(as_markdown(rows))
