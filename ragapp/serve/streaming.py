"""Server-sent events as a response, and work that ends when nobody waits for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

T = TypeVar("T")
_KEEP_ALIVE_S = 15.0


class Streamed(StreamingResponse):
    """Events as a response; a comment now and then, so that a silent connection isn't cut.

    `held` ends when the client has all or has left, and also where it left before the first event was asked for.
    """

    def __init__(
        self,
        events: AsyncGenerator[str],
        held: AbstractAsyncContextManager[object],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        # a proxy that gathers the response would keep everything back until the last
        no_gathering = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        self._lines = _kept_alive(events)
        self._held = held
        super().__init__(self._lines, media_type="text/event-stream", headers={**no_gathering, **(headers or {})})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held, aclosing(self._lines):
            await super().__call__(scope, receive, send)


async def _kept_alive(events: AsyncGenerator[str]) -> AsyncGenerator[str]:
    async with aclosing(events):
        coming: asyncio.Future[str] | None = None
        try:
            while True:
                coming = coming or asyncio.ensure_future(anext(events))
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
