"""An answer as plain text for programs that show nothing else: sentences with markers, then a list of sources."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ragapp.answer.inert import inert, inert_line

_SOURCES = "Sources:"
_NEAREST = "Documents that came near:"
_LIST = re.compile(rf"\n\n(?:{_SOURCES}|{_NEAREST})\n(?:(?:\[\d+\]|-) [^\n]*(?:\n|\Z))+\Z")
_MARKERS = re.compile(r" \[(?:\d+|unsupported)\]")


def answer_text(done: Mapping[str, Any]) -> str:
    """The whole: `done` holds the fields of an answer (shapes.answer_fields) and its state."""
    return "".join(written(sentence, first=not at) for at, sentence in enumerate(done["sentences"])) + ending(done)


def words_alone(text: str) -> str:
    """The text without list and markers, as the answer was before it was written out."""
    return _MARKERS.sub("", _LIST.sub("", text))


def written(sentence: Mapping[str, Any], *, first: bool) -> str:
    """A sentence with its markers; with a blank before it where it isn't the first."""
    markers = "".join(f" [{marker}]" for marker in sentence["markers"])
    return f"{'' if first else ' '}{inert(sentence['text'])}{markers if sentence['supported'] else ' [unsupported]'}"


def ending(done: Mapping[str, Any]) -> str:
    """What follows the sentences: their sources; or that there are none, and what came near."""
    if done["state"] == "answered":
        sources = [f"[{cited['marker']}] {place(cited)}" for cited in done["citations"]]
        return "\n".join(["\n", _SOURCES, *sources]) if sources else ""
    near = list(dict.fromkeys(f"- {place(found)}" for found in done["nearest"]))
    return str(done["answer"]) + ("\n".join(["\n", _NEAREST, *near]) if near else "")


def place(found: Mapping[str, Any]) -> str:
    """Title, page and source of what was cited or came near."""
    title, source = inert_line(found["title"]), inert_line(found["source"])
    page = f", page {found['page']}" if found["page"] else ""
    return f"{title}{page}" if title == source else f"{title}{page} ({source})"
