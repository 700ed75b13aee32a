"""Around every request: an id that the log and the person both see, one line in the log, and a limit on its size."""

from __future__ import annotations

import contextvars
import json
import logging
import re
import secrets
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragapp.serve.traces import Traces

_ID: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
_GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = logging.getLogger("ragapp.serve.access")
SMALL_BODY = 1 << 20
"""Bytes; for everything but uploads."""
Observe = Callable[[str, str, int, float], None]
"""(method, route, status, seconds)"""


def request_id() -> str:
    """The id of the request that is being answered; empty outside one."""
    return _ID.get()


class AroundRequests:
    """ASGI middleware; the outermost, so that nothing is answered without an id."""

    def __init__(
        self, app: ASGIApp, observe: Observe, largest: Callable[[str], int], traces: Traces | None = None
    ) -> None:
        self._app = app
        self._observe = observe
        self._largest = largest
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("ascii", "replace")
        own = given if _GOOD_ID.fullmatch(given) else secrets.token_hex(8)
        token = _ID.set(own)
        began, status = time.monotonic(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message.setdefault("headers", [])
                said = {name.lower() for name, _ in message["headers"]}
                safe = [each for each in _SAFE if each[0] not in said]
                message["headers"] = [*message["headers"], (b"x-request-id", own.encode()), *safe]
            await send(message)

        try:
            if _too_large(headers, most := self._largest(scope["path"])):
                await _refuse(sending, own, most)
            elif self._traces:
                told = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
                with self._traces.request(scope["method"], told, own) as span:
                    await self._app(scope, _counted(receive, most), sending)
                    route = getattr(scope.get("route"), "path", "") or "unknown"
                    span.update_name(f"{scope['method']} {route}")
                    span.set_attributes({"http.route": route, "http.response.status_code": status})
            else:
                await self._app(scope, _counted(receive, most), sending)
        finally:
            seconds = time.monotonic() - began
            route = getattr(scope.get("route"), "path", "") or "unknown"
            self._observe(scope["method"], route, status, seconds)
            _note(own, scope["method"], route, status, seconds)
            _ID.reset(token)


_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
)


def _too_large(headers: dict[bytes, bytes], most: int) -> bool:
    length = headers.get(b"content-length", b"")
    return length.isdigit() and int(length) > most


def _counted(receive: Receive, most: int) -> Receive:
    """The body, cut off where it is larger than it may be, whatever its headers say."""
    read = 0

    async def receiving() -> Message:
        nonlocal read
        message = await receive()
        if message["type"] == "http.request":
            read += len(message.get("body", b""))
            if read > most:
                return {"type": "http.disconnect"}
        return message

    return receiving


async def _refuse(send: Send, own: str, most: int) -> None:
    body = {
        "type": "about:blank",
        "title": "Content Too Large",
        "status": 413,
        "detail": f"The request is larger than {most >> 20} MiB, the most that is taken here.",
        "request_id": own,
    }
    kind = (b"content-type", b"application/problem+json")
    await send({"type": "http.response.start", "status": 413, "headers": [kind, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def _note(own: str, method: str, route: str, status: int, seconds: float) -> None:
    # the route and not the path: an id in it may be somebody's
    _log.info("request=%s method=%s route=%s status=%d seconds=%.3f", own, method, route, status, seconds)
