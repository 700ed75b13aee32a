"""Words from documents and models as text that a Markdown or HTML viewer can't make active."""

from __future__ import annotations

import re

from ragapp.answer.unseen import seen, seen_line

_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_LINK = re.compile(r"\](?=[(\[:])")
_SCHEME = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*)\\?:(?=\\?/\\?/)")
_WWW = re.compile(r"\bwww\\?\.", re.IGNORECASE)
_HOST = re.compile(r"(?<=\w)\\?\.([^\W\d_]{2,})(?=\\?/|[?#]\w|:\d)")
"""The last dot of a host with something behind it: many viewers make a link of that without any scheme."""
_ENTITY = re.compile(r"&(?=#?\w+;)")
"""Markdown reads a letter for it, and could so be given an address in pieces."""
_LONGEST_LINE = 300


def inert(text: str) -> str:
    """The text with tags, Markdown's links and pictures, and bare addresses broken up, readable still, and with what
    isn't seen marked.

    A picture's address is fetched as soon as it is shown, and could carry away what stands in the conversation.
    Addresses are written as security people do: https[:]//host.
    """
    text = _TAG.sub("‹", seen(text))
    text = _LINK.sub("] ", text)
    text = _SCHEME.sub(r"\1[:]", text)
    text = _WWW.sub("www[.]", text)
    text = _HOST.sub(r"[.]\1", text)
    return _ENTITY.sub("& ", text)


def inert_line(text: str) -> str:
    """A title or a path as one line, not too long."""
    line = inert(seen_line(text))
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
