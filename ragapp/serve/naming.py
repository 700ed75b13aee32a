"""Names that people give to groups and collections, and those that nobody may give."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from ragapp.answer.unseen import seen
from ragapp.names import OF_CONVERSATIONS, is_internal
from ragapp.serve.problems import Refused

__all__ = ["OF_CONVERSATIONS", "collection_names", "group_names", "is_shown", "refuse_reserved"]


def group_names(given: Iterable[str]) -> frozenset[str]:
    """The names as groups. Raises Refused for one that stands for a conversation's files."""
    return _names(given, "group")


def collection_names(given: Iterable[str]) -> frozenset[str]:
    """The names as collections. Raises Refused for one that stands for a conversation's files."""
    return _names(given, "collection")


def refuse_reserved(name: str, what: str) -> None:
    """Raises Refused where a name is empty, not for people to give, or looks like another one."""
    if not name.strip() or is_internal(name) or seen(name) != name:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"{name!r} can't be the name of a {what}; choose one that says what it is."
        )


def is_shown(collection: str) -> bool:
    """Whether a collection stands in lists: a conversation's own files don't."""
    return not collection.startswith(OF_CONVERSATIONS)


def _names(given: Iterable[str], what: str) -> frozenset[str]:
    names = frozenset(name.strip() for name in given)
    for name in names:
        refuse_reserved(name, what)
    return names
