"""What a request asks of the bare model, checked before anything waits for it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import Runnable

from ragapp.errors import ModelError, QuestionTooLong, TooCostly
from ragapp.serve.callers import Caller
from ragapp.serve.house import House
from ragapp.serve.openai.errors import BadParameter
from ragapp.serve.openai.shapes import ChatIn, Message, ResponseFormat
from ragapp.serve.rights import Rights

_ANY_OBJECT = {"type": "object", "additionalProperties": True}
_MALFORMED = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What reading a schema or a tool that nobody checked may raise."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the model, known to fit."""

    rights: Rights
    model: Runnable[LanguageModelInput, AIMessage]
    messages: list[BaseMessage]
    prompt_tokens: int

    @property
    def person_id(self) -> str:
        return self.rights.caller.person.id


async def call(house: House, caller: Caller, asked: ChatIn) -> Call:
    """The call that a request describes. Raises BadParameter, BadQuestion and QuestionTooLong, and LineFull where too
    many schemas wait to be compiled."""
    if not asked.is_constrained:
        return await asyncio.to_thread(_call, house, caller, asked)
    ticket = house.compiling.join(caller.person.id)
    try:
        async for _ in house.compiling.places(ticket):
            pass
        return await asyncio.to_thread(_call, house, caller, asked)
    finally:
        house.compiling.leave(ticket)


def _call(house: House, caller: Caller, asked: ChatIn) -> Call:
    chat, engine = house.rag.chat, house.rag.engine
    longest = asked.longest or house.settings.chat.max_answer_tokens
    options: dict[str, Any] = {
        "max_tokens": longest,
        # nobody's prompt may be felt in the time that another person's takes
        "cache_salt": f"person {caller.person.id}",
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "stop": asked.stops,
        "seed": asked.seed,
        "response_schema": _schema(asked.response_format),
    }
    options = {name: value for name, value in options.items() if value not in (None, [])}
    messages = [_message(message) for message in asked.messages]
    param = "tools" if asked.tools else "response_format" if "response_schema" in options else "messages"
    try:
        tools = [tool.model_dump(exclude_none=True) for tool in asked.tools or ()]
        model = chat.bind_tools(tools, tool_choice=_choice(asked), **options) if tools else chat.bind(**options)
        count, sampling = chat.prepared(messages, **model.kwargs)  # type: ignore[attr-defined]
        if count + longest > engine.context_tokens:
            raise QuestionTooLong(
                f"The messages have {count} tokens, and the model's context of {engine.context_tokens} leaves "
                f"{max(0, engine.context_tokens - longest)} beside a reply of {longest}; send less, or ask for less."
            )
        engine.grammars.passed(sampling)
    except TooCostly as error:
        raise BadParameter(param, str(error)) from None
    except ModelError as error:
        raise BadParameter("messages", str(error)) from None
    except _MALFORMED as error:
        said = " ".join(str(error).split())[:300]
        raise BadParameter(param, f"The request can't be used: {said}.") from None
    house.note(caller.person.id, "model.ask", "", door="openai")
    return Call(Rights(house, caller), model, messages, count)


def _choice(asked: ChatIn) -> str | None:
    if asked.tool_choice is None or isinstance(asked.tool_choice, str):
        return asked.tool_choice
    return asked.tool_choice.function.name


def _schema(wanted: ResponseFormat | None) -> dict[str, Any] | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return _ANY_OBJECT
    if wanted.json_schema is None or not wanted.json_schema.schema_:
        raise BadParameter("response_format", "The response_format json_schema names no schema; send one.")
    return wanted.json_schema.schema_


def _message(message: Message) -> BaseMessage:
    if message.role in ("system", "developer"):
        return SystemMessage(message.text)
    if message.role == "user":
        return HumanMessage(message.text, name=message.name)
    if message.role == "tool":
        return ToolMessage(message.text, tool_call_id=message.tool_call_id or "")
    try:
        calls = [
            {"name": made.function.name, "args": json.loads(made.function.arguments or "{}"), "id": made.id}
            for made in message.tool_calls or ()
        ]
        return AIMessage(message.text, tool_calls=calls)
    except (ValueError, RecursionError):
        raise BadParameter("messages", "The arguments of a tool call in the messages are no JSON object.") from None
