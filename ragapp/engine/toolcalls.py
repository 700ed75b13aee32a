"""Tools for a model: how they are told to it, how its words are constrained to calls, and how calls are read again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk

from ragapp.engine.constrained import fit
from ragapp.engine.schema_bounds import Allowance, tools_fit

_OPEN = "<tool_call>"
_CLOSE = "</tool_call>"
_NAME = re.compile(r'"name":\s*("(?:[^"\\]|\\.)*")')
Tool = Mapping[str, Any]
"""A tool in OpenAI's form: {"type": "function", "function": {"name", "description", "parameters"}}."""


def call_schema(tools: Sequence[Tool], longest_string: int) -> dict[str, Any]:
    """The JSON schema of one call of one of the tools. Raises TooCostly where they are too many or too large."""
    tools_fit(len(tools))
    allowance = Allowance("The tools' schemas together")
    calls = [
        {
            "type": "object",
            "properties": {
                "name": {"const": tool["function"]["name"]},
                "arguments": fit(_parameters(tool), longest_string, allowance),
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
class _Nesting:
    """How deep in JSON a reader is, so that it knows where a value ends, and that marks in a string are only text."""

    closers: str = ""
    """What closes the brackets that are open, the innermost last."""
    in_string: bool = False
    escaped: bool = False

    def value_in(self, text: str) -> tuple[str, bool]:
        """(what of the text belongs to the value, whether the value ends there)."""
        for at, mark in enumerate(text, 1):
            if self.in_string:
                self.in_string = self.escaped or mark != '"'
                self.escaped = mark == "\\" and not self.escaped
            elif mark == '"':
                self.in_string = True
            elif mark in "{[":
                self.closers += "}" if mark == "{" else "]"
            elif mark in "}]":
                self.closers = self.closers[:-1]
                if not self.closers:
                    return text[:at], True
        return text, False

    def contradiction(self) -> str:
        """What makes a value that was cut off unreadable for good."""
        string = ("\\" if self.escaped else "") + '"' if self.in_string else ""
        return string + ("}" if self.closers.endswith("]") else "]")


@dataclass
class CallReader:
    """Turns what the engine writes, piece by piece, into text and chunks of tool calls.

    With "only", all of it is one call; with "tagged", calls stand between <tool_call> tags amid free text. A call whose
    arguments were cut off becomes an invalid one, which nobody runs.
    """

    mode: Literal["only", "tagged"]
    _held: str = ""
    _call: int = -1
    _inside: bool = False
    _named: bool = False
    _whole: bool = False
    _nesting: _Nesting = field(default_factory=_Nesting)

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
        while self._step(texts, chunks):
            pass
        if not self._inside:
            keep = 0 if last else _overlap(self._held, _OPEN)
            texts.append(self._held[: len(self._held) - keep])
            self._held = self._held[len(self._held) - keep :]
        elif last and not self._whole:
            self._break_off(chunks)
        text = "".join(texts)
        # the blanks between and after calls are no answer
        return text if text.strip() or not self.found else "", chunks

    def _begin(self) -> None:
        self._inside, self._named, self._whole, self._nesting = True, False, False, _Nesting()
        self._call += 1

    def _step(self, texts: list[str], chunks: list[ToolCallChunk]) -> bool:
        """Make one move forward in the held text; False where more of it is needed."""
        if not self._inside:
            before, tag, after = self._held.partition(_OPEN)
            if not tag:
                return False
            texts.append(before)
            self._held = after
            self._begin()
            return True
        if not self._named:
            head, mark, after = self._held.partition('"arguments":')
            if not mark or not after.strip():
                return False
            self._name(json.loads(head.strip().rstrip(",") + "}")["name"], chunks)
            self._held = after.lstrip()
            return True
        if not self._whole:
            arguments, self._whole = self._nesting.value_in(self._held)
            self._held = self._held[len(arguments) :]
            self._add(arguments, chunks)
            return self._whole
        return self._close()

    def _close(self) -> bool:
        """Pass over the call's own brace and its closing tag."""
        _, tag, after = self._held.partition(_CLOSE)
        if not tag or self.mode == "only":
            return False
        self._held, self._inside = after, False
        return True

    def _break_off(self, chunks: list[ToolCallChunk]) -> None:
        """End a call whose arguments were cut off so that LangChain can't complete it as if nothing were missing."""
        if not self._named:
            name = _NAME.search(self._held)
            self._name(json.loads(name[1]) if name else "", chunks)
        self._add(self._nesting.contradiction(), chunks)
        self._held = ""

    def _name(self, name: str, chunks: list[ToolCallChunk]) -> None:
        chunks.append(tool_call_chunk(name=name, args="", id=f"call_{uuid4().hex[:24]}", index=self._call))
        self._named = True

    def _add(self, arguments: str, chunks: list[ToolCallChunk]) -> None:
        if arguments and chunks and chunks[-1]["index"] == self._call:
            # parts of one call within one message would be read as two calls
            chunks[-1]["args"] = (chunks[-1]["args"] or "") + arguments
        elif arguments:
            chunks.append(tool_call_chunk(name=None, args=arguments, id=None, index=self._call))


def _overlap(text: str, mark: str) -> int:
    """How many characters at the text's end may be the beginning of the mark."""
    return next((size for size in range(min(len(mark), len(text)), 0, -1) if mark.startswith(text[-size:])), 0)
