"""Around every request: an id that the log and the person both see, one line in the log, limits on its size and on how
many of one visitor there are."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragapp.logs import at_most, beside, request_id, within_request
from ragapp.serve.bodies import Body
from ragapp.serve.connections import Connections, is_known
from ragapp.serve.problems import problem
from ragapp.serve.spooling import Spooling
from ragapp.serve.traces import Traces

_GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = logging.getLogger("ragapp.serve.access")
_OF_A_KIND = 20
"""Refusals, and requests of nobody known, of one kind that are lines of their own in a minute."""
_TRY_LATER = 1013
"""What a WebSocket is closed with that may come again (RFC 6455's registry)."""
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
        connections: Connections,
        spooling: Spooling,
        traces: Traces | None = None,
    ) -> None:
        self._app = app
        self._fail = fail
        self._observe = observe
        self._largest = largest
        self._connections = connections
        self._spooling = spooling
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._talk(scope, receive, send)
            return
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
                _note(scope, route, status, seconds)

    async def _talk(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = self._connections.visit(scope)
        if not visit.begin():
            await receive()
            await send({"type": "websocket.close", "code": _TRY_LATER})
            return
        try:
            await self._app(scope, receive, send)
        finally:
            visit.end()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = Body(scope, receive, self._largest(scope["path"]), self._spooling)

        async def answering(message: Message) -> None:
            if message["type"] == "http.response.start":
                body.answered = True
                if body.is_left:
                    message["headers"] = [*message.get("headers", []), (b"connection", b"close")]
            await send(message)

        if body.is_too_large:
            await problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, body.too_large)(scope, receive, answering)
            return
        visit = self._connections.visit(scope)
        if not visit.begin():
            sentence = "Too many requests come from your address at once; try again when one of them is done."
            await problem(HTTPStatus.TOO_MANY_REQUESTS, sentence, {"Retry-After": "5"})(scope, receive, answering)
            return
        try:
            await self._traced(scope, body.receive, answering)
        finally:
            body.end()
            visit.end()

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._traces is None:
            await self._app(scope, receive, send)
            return
        told = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        with self._traces.request(scope["method"], told, request_id()) as span:

            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            try:
                await self._app(scope, receive, sending)
            finally:
                span.update_name(f"{scope['method']} {_route(scope)}")
                span.set_attribute("http.route", _route(scope))


_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
)


def _route(scope: Scope) -> str:
    # the route and not the path: an id in it may be somebody's
    return getattr(scope.get("route"), "path", "") or "unknown"


def _note(scope: Scope, route: str, status: int, seconds: float) -> None:
    method = scope["method"]
    told = beside(method=method, route=route, status=status, seconds=round(seconds, 4))
    # what anybody can bring about as often as they like must not fill the log
    if not is_known(scope) or (status != HTTPStatus.INTERNAL_SERVER_ERROR and not 100 <= status < 400):
        told = {**told, **at_most(_OF_A_KIND, method, route, status)}
    _log.info("%s %s", method, route, extra=told)
