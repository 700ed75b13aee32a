"""Chunks of a chat completion as server-sent events, and work that ends when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse

T = TypeVar("T")
_KEEP_ALIVE_S = 15.0
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


def streamed(lines: AsyncIterator[str]) -> StreamingResponse:
    """The events as a response; a comment now and then, so that a silent connection isn't cut."""
    # a proxy that gathers the response would keep everything back until the last
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_kept_alive(lines), media_type="text/event-stream", headers=headers)


async def _kept_alive(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async with aclosing(lines):  # type: ignore[type-var]
        coming: asyncio.Future[str] | None = None
        try:
            while True:
                coming = coming or asyncio.ensure_future(anext(lines))
                done, _ = await asyncio.wait((coming,), timeout=_KEEP_ALIVE_S)
                if not done:
                    yield ": still here\n\n"
                    continue
                try:
                    text = coming.result()
                except StopAsyncIteration:
                    return
                coming = None
                yield text
        finally:
            if coming:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)


async def while_there(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """The work's result; None where the client left first, and then the work is cancelled."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
