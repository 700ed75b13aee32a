"""Chunks of a chat completion as server-sent events."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DONE = "data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Chunks:
    """Makes the chunks of one completion."""

    name: str
    model: str
    with_usage: bool
    created: int = field(default_factory=lambda: int(time.time()))

    def delta(self, delta: Mapping[str, Any], finish_reason: str | None = None) -> str:
        """A piece of the message."""
        return self._line([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}], None)

    def usage(self, usage: Mapping[str, Any]) -> str:
        """The last chunk, for whoever asked for it."""
        return self._line([], usage)

    def _line(self, choices: list[dict[str, Any]], usage: Mapping[str, Any] | None) -> str:
        chunk = {
            "id": f"chatcmpl-{self.name}",
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }
        return line(chunk | {"usage": usage} if self.with_usage else chunk)


def line(body: Mapping[str, Any]) -> str:
    """One event."""
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"
