"""What diagrams of Office files say: charts as the table of their figures, SmartArt as its lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingest.read.blocks import one_line
from ragapp.errors import Unreadable

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_D = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"

_MOST_EMPTY = 1 << 18
"""Places of a chart's table without a figure: each series may name places of its own."""


def parsed(part: bytes) -> Any:
    """The tree of an Office part; entities are not followed and nothing is fetched."""
    from lxml import etree

    return etree.fromstring(part, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))


def diagram_lines(root: Any) -> Iterator[str]:
    """The texts of a SmartArt's data, in the order in which they were written."""
    for point in root.iter(f"{_D}pt"):
        if point.get("type") in ("pres", "parTrans", "sibTrans"):
            continue
        for paragraph in point.iter(f"{_A}p"):
            if text := one_line("".join(t.text or "" for t in paragraph.iter(f"{_A}t"))):
                yield text


def chart_table(root: Any) -> tuple[str, list[list[str]]]:
    """A chart's title, and its figures as a table with the series' names above and the categories at the left."""
    title = root.find(f"{_C}chart/{_C}title")
    said = one_line("".join(t.text or "" for t in title.iter(f"{_A}t"))) if title is not None else ""
    series = list(root.iter(f"{_C}ser"))
    names = [_first(each.find(f"{_C}tx")) for each in series]
    columns = [_points(_either(each, "val", "yVal")) for each in series]
    first = series[0] if series else None
    labels = _points(_either(first, "cat", "xVal")) if first is not None else {}
    places = sorted({place for column in (*columns, labels) for place in column})
    empty = len(places) * len(columns) - sum(map(len, columns))
    if empty > _MOST_EMPTY:
        raise Unreadable(f"holds a chart with figures so far apart that {empty} empty ones lie between them")
    rows = [[labels.get(place, ""), *(_figure(column.get(place, "")) for column in columns)] for place in places]
    return said, [["", *names], *rows] if rows else []


def _either(series: Any, *names: str) -> Any:
    found = (series.find(f"{_C}{name}") for name in names)
    return next((each for each in found if each is not None), None)


def _points(holder: Any) -> dict[int, str]:
    if holder is None:
        return {}
    found: dict[int, str] = {}
    for point in holder.iter(f"{_C}pt"):
        value = point.find(f"{_C}v")
        index = point.get("idx") or ""
        if value is not None and index.isdigit():
            # of several levels of names the nearest stands first
            found.setdefault(int(index), one_line(value.text or ""))
    return found


def _first(holder: Any) -> str:
    if holder is None:
        return ""
    value = next(holder.iter(f"{_C}v"), None)
    return one_line(value.text or "") if value is not None else ""


def _figure(value: str) -> str:
    try:
        return f"{float(value):.10g}" if value else ""
    except ValueError:
        return value
