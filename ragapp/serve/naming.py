"""Names that people give to groups and collections, and those that nobody may give."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from ragapp.serve.problems import Refused

OF_CONVERSATIONS = "conversation/"
"""Begins the group and the collection of a conversation's own files."""


def group_names(given: Iterable[str]) -> frozenset[str]:
    """The names as groups. Raises Refused for one that stands for a conversation's files."""
    names = frozenset(name.strip() for name in given)
    for name in names:
        refuse_reserved(name, "group")
    return names


def refuse_reserved(name: str, what: str) -> None:
    """Raises Refused where a name is empty or not for people to give."""
    if not name.strip() or name.startswith(OF_CONVERSATIONS):
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"{name!r} can't be the name of a {what}; choose one that says what it is."
        )


def is_shown(collection: str) -> bool:
    """Whether a collection stands in lists: a conversation's own files don't."""
    return not collection.startswith(OF_CONVERSATIONS)
