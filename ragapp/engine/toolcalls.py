"""Tools for a model: how they are told to it, how its words are constrained to calls, and how calls are read again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk

from ragapp.engine.constrained import fit

_OPEN = "<tool_call>"
_CLOSE = "</tool_call>"
Tool = Mapping[str, Any]
"""A tool in OpenAI's form: {"type": "function", "function": {"name", "description", "parameters"}}."""


def call_schema(tools: Sequence[Tool], longest_string: int) -> dict[str, Any]:
    """The JSON schema of one call of one of the tools."""
    calls = [
        {
            "type": "object",
            "properties": {
                "name": {"const": tool["function"]["name"]},
                "arguments": fit(_parameters(tool), longest_string),
            },
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for tool in tools
    ]
    return calls[0] if len(calls) == 1 else {"anyOf": calls}


def structural_tag(tools: Sequence[Tool], longest_string: int) -> str:
    """Free text in which `<tool_call>` can only be followed by a valid call (xgrammar's structural tag)."""
    tag = {
        "begin": f"{_OPEN}\n",
        "content": {"type": "json_schema", "json_schema": call_schema(tools, longest_string)},
        "end": f"\n{_CLOSE}",
    }
    return json.dumps(
        {"type": "structural_tag", "format": {"type": "triggered_tags", "triggers": [_OPEN], "tags": [tag]}}
    )


def instructions(tools: Sequence[Tool]) -> str:
    """The tools in words, for a model whose chat template has no place for them."""
    told = "\n".join(json.dumps(tool["function"], ensure_ascii=False) for tool in tools)
    return (
        f"You can call these tools:\n{told}\nTo call one, reply only with\n{_OPEN}\n"
        f'{{"name": "...", "arguments": {{...}}}}\n{_CLOSE}'
    )


def written(calls: Sequence[Mapping[str, Any]]) -> str:
    """Earlier calls as the model would have written them."""
    return "\n".join(
        f"{_OPEN}\n{json.dumps({'name': call['name'], 'arguments': call['args']}, ensure_ascii=False)}\n{_CLOSE}"
        for call in calls
    )


def _parameters(tool: Tool) -> dict[str, Any]:
    return {"type": "object", "properties": {}} | dict(tool["function"].get("parameters") or {})


@dataclass
class CallReader:
    """Turns what the engine writes, piece by piece, into text and chunks of tool calls.

    With "only", all of it is one call; with "tagged", calls stand between <tool_call> tags amid free text.
    """

    mode: Literal["only", "tagged"]
    _held: str = ""
    _call: int = -1
    _inside: bool = False
    _named: bool = field(default=False)

    def __post_init__(self) -> None:
        if self.mode == "only":
            self._begin()

    @property
    def found(self) -> bool:
        """Whether a call has begun."""
        return self._call >= 0

    def feed(self, piece: str, *, last: bool = False) -> tuple[str, list[ToolCallChunk]]:
        """(text, chunks) that the piece completes. `last` says that nothing more comes."""
        self._held += piece
        texts: list[str] = []
        chunks: list[ToolCallChunk] = []
        while self._step(last, texts, chunks):
            pass
        if not self._inside:
            keep = 0 if last else _overlap(self._held, _OPEN)
            texts.append(self._held[: len(self._held) - keep])
            self._held = self._held[len(self._held) - keep :]
        text = "".join(texts)
        # the blanks between and after calls are no answer
        return text if text.strip() or not self.found else "", chunks

    def _begin(self) -> None:
        self._inside, self._named = True, False
        self._call += 1

    def _step(self, last: bool, texts: list[str], chunks: list[ToolCallChunk]) -> bool:
        """Make one move forward in the held text; False where more of it is needed."""
        if not self._inside:
            before, tag, after = self._held.partition(_OPEN)
            if not tag or self.mode == "only":
                return False
            texts.append(before)
            self._held = after
            self._begin()
            return True
        if not self._named:
            head, mark, after = self._held.partition('"arguments":')
            if not mark or not after.strip():
                return False
            name = json.loads(head.strip().rstrip(",") + "}")["name"]
            chunks.append(tool_call_chunk(name=name, args="", id=f"call_{uuid4().hex[:24]}", index=self._call))
            self._held, self._named = after.lstrip(), True
            return True
        return self._arguments(last, chunks)

    def _arguments(self, last: bool, chunks: list[ToolCallChunk]) -> bool:
        whole = last if self.mode == "only" else _CLOSE in self._held
        if whole:
            arguments, _, after = self._held.partition(_CLOSE) if self.mode == "tagged" else (self._held, "", "")
            arguments = arguments.rstrip().removesuffix("}")  # the call's own brace
            self._held, self._inside = after, False
        else:
            # the closing brace and tag, perhaps only begun, must not be taken for arguments
            keep = len("}\n" + _CLOSE) if self.mode == "tagged" else 1
            arguments, self._held = self._held[:-keep], self._held[-keep:]
        if arguments and chunks and chunks[-1]["index"] == self._call:
            # parts of one call within one message would be read as two calls
            chunks[-1]["args"] = (chunks[-1]["args"] or "") + arguments
        elif arguments:
            chunks.append(tool_call_chunk(name=None, args=arguments, id=None, index=self._call))
        return whole


def _overlap(text: str, mark: str) -> int:
    """How many characters at the text's end may be the beginning of the mark."""
    return next((size for size in range(min(len(mark), len(text)), 0, -1) if mark.startswith(text[-size:])), 0)
