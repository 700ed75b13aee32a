"""Around every request: an id that the log and the person both see, one line in the log, and a limit on its size."""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragapp.logs import beside, request_id, within_request
from ragapp.serve.traces import Traces

_GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = logging.getLogger("ragapp.serve.access")
SMALL_BODY = 1 << 20
"""Bytes; for everything but uploads."""
Observe = Callable[[str, str, int, float], None]
"""(method, route, status, seconds)"""


class AroundRequests:
    """ASGI middleware; the outermost, so that nothing is answered without an id."""

    def __init__(
        self,
        app: ASGIApp,
        observe: Observe,
        largest: Callable[[str], int],
        fail: Callable[[Exception], ASGIApp],
        traces: Traces | None = None,
    ) -> None:
        self._app = app
        self._fail = fail
        self._observe = observe
        self._largest = largest
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("ascii", "replace")
        own = given if _GOOD_ID.fullmatch(given) else secrets.token_hex(8)
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

        with within_request(own):
            try:
                await self._answer(scope, receive, sending)
            except Exception as error:
                # here and not in the app's own last handler, which stands outside of this and knows no id
                failed = self._fail(error)
                if status:
                    raise
                await failed(scope, receive, sending)
            finally:
                seconds = time.monotonic() - began
                route = _route(scope)
                self._observe(scope["method"], route, status, seconds)
                _note(scope["method"], route, status, seconds)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        if _too_large(headers, most := self._largest(scope["path"])):
            await _refuse(send, most)
            return
        if self._traces is None:
            await self._app(scope, _counted(receive, most), send)
            return
        told = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
        with self._traces.request(scope["method"], told, request_id()) as span:

            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            try:
                await self._app(scope, _counted(receive, most), sending)
            finally:
                span.update_name(f"{scope['method']} {_route(scope)}")
                span.set_attribute("http.route", _route(scope))


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


async def _refuse(send: Send, most: int) -> None:
    body = {
        "type": "about:blank",
        "title": "Content Too Large",
        "status": 413,
        "detail": f"The request is larger than {most >> 20} MiB, the most that is taken here.",
        "request_id": request_id(),
    }
    kind = (b"content-type", b"application/problem+json")
    await send({"type": "http.response.start", "status": 413, "headers": [kind, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def _route(scope: Scope) -> str:
    # the route and not the path: an id in it may be somebody's
    return getattr(scope.get("route"), "path", "") or "unknown"


def _note(method: str, route: str, status: int, seconds: float) -> None:
    told = beside(method=method, route=route, status=status, seconds=round(seconds, 4))
    _log.info("%s %s", method, route, extra=told)
