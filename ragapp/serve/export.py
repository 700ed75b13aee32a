"""A conversation as Markdown that is only text: nothing in it becomes a link, a picture or HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ragapp.answer.unseen import seen_line

_ACTIVE = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&:@])")


def plain(text: str) -> str:
    """Text whose every character shows as itself in Markdown: addresses and tags too."""
    return _ACTIVE.sub(r"\\\1", seen_line(text))


def as_markdown(title: str, created: datetime, turns: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """A conversation's (question, answer's fields) with the sources of each answer."""
    lines = [f"# {plain(title)}", "", f"{created:%Y-%m-%d}", ""]
    for question, fields in turns:
        lines += [f"## {plain(question)}", ""]
        if fields.get("sentences"):
            lines += [" ".join(_sentence(sentence) for sentence in fields["sentences"]), ""]
            lines += [f"{cited['marker']}\\. {_source(cited)}" for cited in fields["citations"]]
        else:
            lines.append(plain(fields.get("answer") or fields.get("reason") or "There is no answer."))
        lines.append("")
    return "\n".join(lines)


def _sentence(sentence: Mapping[str, Any]) -> str:
    markers = "".join(f" \\[{marker}\\]" for marker in sentence["markers"])
    return plain(sentence["text"]) + (markers if sentence["supported"] else " \\[unsupported\\]")


def _source(cited: Mapping[str, Any]) -> str:
    place = f", page {cited['page']}" if cited["page"] is not None else ""
    return f"{plain(cited['title'])} ({plain(cited['source'])}{place}): “{plain(cited['quote'])}”  "
