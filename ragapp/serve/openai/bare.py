"""The model without documents: what passes through it, by the same queue as every question."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

from langchain_core.messages import AIMessageChunk

from ragapp.catalog.service_rows import AnswerState, UsageRow
from ragapp.engine.reply import usage_of
from ragapp.errors import RagappError, RightsChanged
from ragapp.serve.house import House
from ragapp.serve.line import Ticket
from ragapp.serve.openai.call import Call
from ragapp.serve.openai.errors import told, unexpected
from ragapp.serve.openai.shapes import ChatIn, completion_out, usage_out
from ragapp.serve.openai.streaming import DONE, Chunks, line
from ragapp.types import Usage

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Reply:
    """A call in progress. It holds a place in the line from its beginning, and gives it up whatever happens."""

    house: House
    call: Call
    ticket: Ticket
    _came: asyncio.Queue[AIMessageChunk | None] = field(default_factory=asyncio.Queue)
    _error: BaseException | None = None
    _task: asyncio.Task[None] | None = None

    @classmethod
    def begin(cls, house: House, call: Call) -> Reply:
        """Raises LineFull."""
        reply = cls(house, call, house.line.join(call.person_id))
        reply._task = asyncio.create_task(reply._run(), name="bare model")
        return reply

    async def pieces(self) -> AsyncGenerator[AIMessageChunk]:
        """The model's pieces, each let out after a look whether who asks still may; whoever leaves frees the engine.
        Raises RightsChanged, and what the engine failed with."""
        look = self.call.rights.look
        try:
            while (piece := await self._came.get()) is not None:
                await asyncio.to_thread(look)
                yield piece
            await asyncio.to_thread(look)
            if self._error:
                raise self._error
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Nobody waits for it any more: the engine and the place in the line are free."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        now = asyncio.get_running_loop().time
        began, taken, first = now(), None, None
        state: AnswerState = "stopped"
        used, words = Usage(self.call.prompt_tokens), ""
        try:
            async for _ in self.house.line.places(self.ticket):
                pass
            taken = now()
            await asyncio.to_thread(self.call.rights.look)
            async with aclosing(self.call.model.astream(self.call.messages)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    first = first or now()
                    words += str(piece.text)
                    used = usage_of(piece) or used
                    self._came.put_nowait(cast("AIMessageChunk", piece))
            state = "answered"
        except RightsChanged as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - it is the reader's to hear
            state, self._error = "failed", error
        finally:
            self.house.line.leave(self.ticket)
            try:
                if not used.completion_tokens and words:
                    used += Usage(completion_tokens=self.house.rag.engine.count_tokens(words))
                waited_s = (taken or now()) - began
                row = UsageRow(
                    datetime.now(UTC), self.call.person_id, "openai", frozenset(), self.house.settings.chat.model,
                    state, used.prompt_tokens, used.cached_tokens, used.completion_tokens, waited_s,
                    first - taken if first and taken else None, now() - taken if taken else 0.0,
                )  # fmt: skip
                await asyncio.shield(asyncio.to_thread(self._note, row))
            except RagappError as error:
                # a full disk loses the record and not the reply
                _log.error("a reply could not be counted: %s", error)
            finally:
                self._came.put_nowait(None)

    def _note(self, row: UsageRow) -> None:
        self.house.catalog.usage.note(row)
        metrics = self.house.metrics
        metrics.answered(row.status, None, row.waited_s)
        for kind in ("prompt", "cached", "completion"):
            metrics.tokens.labels(kind).inc(getattr(row, f"{kind}_tokens"))


async def whole(reply: Reply, model: str) -> dict[str, Any]:
    """The completion, once the model has ended."""
    text, usage, reason = "", Usage(), "stop"
    calls: dict[int, dict[str, Any]] = {}
    async with aclosing(reply.pieces()) as pieces:
        async for piece in pieces:
            text += str(piece.text)
            usage = usage_of(piece) or usage
            reason = piece.response_metadata.get("finish_reason", reason)
            for part in _call_parts(piece):
                known = calls.setdefault(
                    part["index"], {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
                )
                known["id"] = part.get("id") or known["id"]
                for key, value in part["function"].items():
                    known["function"][key] += value
    message: dict[str, Any] = {"role": "assistant", "content": text or None if calls else text, "refusal": None}
    if calls:
        message["tool_calls"] = [_without_index(calls[index]) for index in sorted(calls)]
    counts = usage_out(usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens)
    return completion_out(_name(), model, message, reason, counts)


async def chunks(reply: Reply, asked: ChatIn) -> AsyncGenerator[str]:
    """The completion as it comes. An error is the last event."""
    made = Chunks(_name(), asked.model, asked.wants_usage)
    usage, reason = Usage(), "stop"
    yield made.delta({"role": "assistant", "content": ""})
    try:
        async with aclosing(reply.pieces()) as pieces:
            async for piece in pieces:
                usage = usage_of(piece) or usage
                reason = piece.response_metadata.get("finish_reason", reason)
                if piece.text:
                    yield made.delta({"content": str(piece.text)})
                if parts := _call_parts(piece):
                    yield made.delta({"tool_calls": parts})
    except RagappError as error:
        yield line(told(error)[1])
        return
    except Exception:  # noqa: BLE001 - the reader must hear of it, and the log has the rest
        _log.exception("a reply failed unexpectedly")
        yield line(unexpected())
        return
    yield made.delta({}, reason)
    if asked.wants_usage:
        yield made.usage(usage_out(usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens))
    yield DONE


def _call_parts(piece: AIMessageChunk) -> list[dict[str, Any]]:
    """Parts of tool calls as OpenAI streams them: name and id with the first part of each, then arguments."""
    parts: list[dict[str, Any]] = []
    for chunk in piece.tool_call_chunks:
        begins = {"id": chunk["id"], "type": "function"} if chunk["id"] else {}
        named = {"name": chunk["name"]} if chunk["name"] else {}
        parts.append({"index": chunk["index"], **begins, "function": named | {"arguments": chunk["args"] or ""}})
    return parts


def _name() -> str:
    return uuid4().hex


def _without_index(part: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key != "index"}
