"""Names that belong to the service itself: the collection and the group of a conversation's own files."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from ragapp.errors import CatalogError

OF_CONVERSATIONS = "conversation/"
"""Begins the group and the collection of a conversation's own files."""


def is_internal(name: str) -> bool:
    """Whether a name means what people attached to a conversation, or is spelled so that a reader takes it for such a
    name: in other letters of the same word, with blanks, or with characters that nobody sees."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    seen = (letter for letter in plain if not letter.isspace() and unicodedata.category(letter)[0] != "C")
    return "".join(seen).startswith(OF_CONVERSATIONS)


def refuse_internal(names: Iterable[str], what: str) -> None:
    """Raises CatalogError where one of the names is not for people to give. `what` is "group" or "collection"."""
    for name in names:
        if is_internal(name):
            raise CatalogError(f"{name!r} can't be the name of a {what}; choose one that says what it is.")
