"""Conditions on metadata in the words of Qdrant, which Edge and the server have each as classes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ragapp.conditions import Between, Condition, Every, Not, OneOf, Some

_OWN = "metadata"
"""Where the payload keeps what a program said of a text that it added."""
_KNOWN = {
    "source": "source",
    "title": "title",
    "collection": "collection",
    "document_id": "document_id",
    "revision": "revision",
    "start": "start",
    "end": "end",
    "page": "pages",
    "heading": "headings",
}
"""What ragapp itself knows of a chunk, by the name that a document's metadata shows, and where the payload keeps it.
Who may see it is not among them, and never must be."""


class Dialect(Protocol):
    """One engine's words for what is asked of a payload."""

    def every(self, parts: Sequence[Any]) -> Any: ...
    def some(self, parts: Sequence[Any]) -> Any: ...
    def none(self, parts: Sequence[Any]) -> Any: ...
    def empty(self, path: str) -> Any: ...
    def texts(self, path: str, values: list[str]) -> Any: ...
    def flag(self, path: str, value: bool) -> Any: ...
    def number(self, path: str, *, gte: float | None, gt: float | None, lte: float | None, lt: float | None) -> Any: ...


def translated(condition: Condition, dialect: Dialect) -> Any:
    """A condition as one engine takes it."""
    match condition:
        case Every(parts):
            return dialect.every([translated(part, dialect) for part in parts])
        case Some(parts):
            return dialect.some([translated(part, dialect) for part in parts])
        case Not(part):
            return dialect.none([translated(part, dialect)])
        case OneOf() | Between():
            return _of_field(condition, dialect)


def _of_field(condition: OneOf | Between, dialect: Dialect) -> Any:
    """The text's own metadata first; where that says nothing under the name, what ragapp knows of the chunk."""
    parts = condition.field.split(".")
    own = [_path(*parts)] + ([_path(condition.field)] if len(parts) > 1 else [])
    ways = [_at(path, condition, dialect) for path in own]
    if known := _KNOWN.get(condition.field):
        ways.append(dialect.every([dialect.empty(own[0]), _at(known, condition, dialect)]))
    return dialect.some(ways)


def _path(*parts: str) -> str:
    # in quotes, so that nothing in a name leads out of the text's own metadata
    return ".".join((_OWN, *(f'"{part}"' for part in parts)))


def _at(path: str, condition: OneOf | Between, dialect: Dialect) -> Any:
    if isinstance(condition, Between):
        return dialect.number(path, gte=condition.gte, gt=condition.gt, lte=condition.lte, lt=condition.lt)
    texts = [value for value in condition.values if isinstance(value, str)]
    ways = [dialect.texts(path, texts)] if texts else []
    for value in condition.values:
        if isinstance(value, bool):
            ways.append(dialect.flag(path, value))
        elif not isinstance(value, str):
            # a range, since an exact match tells 1 from 1.0
            ways.append(dialect.number(path, gte=value, gt=None, lte=value, lt=None))
    return dialect.some(ways)
