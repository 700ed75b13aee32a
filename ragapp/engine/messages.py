"""LangChain's messages as the plain roles and texts that a chat template takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage

from ragapp.engine.toolcalls import Tool, instructions, written
from ragapp.errors import BadQuestion


def as_template_messages(
    messages: Sequence[BaseMessage], tools: Sequence[Tool], *, template_knows_tools: bool
) -> list[dict[str, Any]]:
    """Role and content of each message. Where the template knows no tools, they are told in the system message, and
    calls and results stand as text. Raises BadQuestion where a message holds anything but text."""
    told = [_told(message, template_knows_tools) for message in messages]
    if not tools or template_knows_tools:
        return told
    words = instructions(tools)
    if told and told[0]["role"] == "system":
        return [told[0] | {"content": f"{told[0]['content']}\n\n{words}"}, *told[1:]]
    return [{"role": "system", "content": words}, *told]


def _told(message: BaseMessage, template_knows_tools: bool) -> dict[str, Any]:
    text = _text(message)
    if isinstance(message, SystemMessage):
        return {"role": "system", "content": text}
    if isinstance(message, AIMessage):
        return _of_assistant(message, text, template_knows_tools)
    if isinstance(message, ToolMessage):
        if template_knows_tools:
            return {"role": "tool", "content": text, "tool_call_id": message.tool_call_id}
        failed = " failed" if message.status == "error" else ""
        return {"role": "user", "content": f"Result of the tool{failed}: {text}"}
    role = message.role if isinstance(message, ChatMessage) else "user"
    named = f"{message.name}: {text}" if isinstance(message, HumanMessage) and message.name else text
    return {"role": role, "content": named}


def _of_assistant(message: AIMessage, text: str, template_knows_tools: bool) -> dict[str, Any]:
    if not message.tool_calls:
        return {"role": "assistant", "content": text}
    if not template_knows_tools:
        calls = written([{"name": call["name"], "args": call["args"]} for call in message.tool_calls])
        return {"role": "assistant", "content": f"{text}\n{calls}".strip()}
    told = [
        {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["args"]}}
        for call in message.tool_calls
    ]
    return {"role": "assistant", "content": text, "tool_calls": told}


def _text(message: BaseMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    parts = []
    for block in message.content:
        if isinstance(block, str):
            parts.append(block)
        elif block.get("type") == "text":
            parts.append(str(block.get("text", "")))
        elif block.get("type") not in ("tool_use", "tool_call", "tool_call_chunk", "reasoning", "thinking"):
            raise BadQuestion(
                f"A message holds a part of the type {block.get('type')}, and this model reads only text; leave it out."
            )
    return "".join(parts)
