"""Every form in which an answer leaves ragapp as text, and what a viewer would fetch or let somebody click in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from markdown_it import MarkdownIt

from ragapp.serve.export import as_markdown
from ragapp.serve.readable import answer_text
from ragapp.serve.shapes import answer_fields
from ragapp.types import Answer

_MARKDOWN = MarkdownIt("commonmark", {"html": True}).disable("text_join")
_ATTRIBUTE = re.compile(
    r"<[^>]*?\b(?:href|src|srcset|action|data|poster|background)\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE
)
_BARE = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]*://|\bwww\.)[^\s<>\"')\]]+|\b(?:[\w-]+\.)+[a-z]{2,}/[^\s<>\"')\]]*", re.IGNORECASE
)


def forms(answer: Answer) -> dict[str, str]:
    """The answer's text by where it is shown."""
    fields = answer_fields(answer, 0.0) | {"state": answer.status}
    return {
        "text": answer.text,
        "sentences": "\n\n".join(sentence.text for sentence in answer.sentences),
        "OpenAI and MCP": answer_text(fields),
        "export": as_markdown(answer.question, datetime(2025, 1, 1, tzinfo=UTC), [(answer.question, fields)]),
    }


def addresses(markdown: str) -> list[str]:
    """Addresses that a viewer of Markdown and HTML would fetch, or make a link of though nothing marks them as one."""
    # viewers look for bare addresses between escaped characters, not across them
    texts = [
        child.content for token in _MARKDOWN.parse(markdown) for child in token.children or () if child.type == "text"
    ]
    return [
        *_ATTRIBUTE.findall(_MARKDOWN.render(markdown)),
        *(found for text in texts for found in _BARE.findall(text)),
    ]
