"""/mcp: the tools over streamable HTTP, without sessions: every request stands for itself, with its own token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragapp.serve.bodies import SMALL_BODY
from ragapp.serve.callers import Asker
from ragapp.serve.house import House, house_of
from ragapp.serve.mcp.desk import Desk, HouseDesk
from ragapp.settings import ServeSettings

if TYPE_CHECKING:
    from mcp.server.transport_security import TransportSecuritySettings

router = APIRouter(tags=["mcp"])
_CALLER = "ragapp.caller"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@router.api_route(
    "/mcp", methods=["GET", "POST", "DELETE"], operation_id="mcp", include_in_schema=False, response_class=Response
)
async def mcp(request: Request, caller: Asker) -> Response:
    """The Model Context Protocol; the request is the caller's, and so is all that it finds."""
    request.scope[_CALLER] = caller
    return _Handover(request.app.state.mcp, await request.body())


class _Handover(Response):
    """A response that another ASGI app gives, to a request whose body was read already."""

    def __init__(self, app: ASGIApp, read: bytes) -> None:
        super().__init__()
        self._app = app
        self._read = read

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        unread = [self._read]

        async def again() -> Message:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            return await receive()

        await self._app(scope, again, send)


@asynccontextmanager
async def mcp_open(app: FastAPI) -> AsyncIterator[None]:
    """The door, for as long as the service lives."""
    from mcp.server.mcpserver import Context

    from ragapp.serve.mcp.tools import build_server

    house: House = app.state.house

    def desk_of(context: Context[Any, Any]) -> Desk:
        request = cast("Request", context.request_context.request)
        return HouseDesk(house_of(request), request.scope[_CALLER])

    server = build_server(desk_of)
    server.streamable_http_app(
        stateless_http=True, max_request_body_size=SMALL_BODY, transport_security=_security(house.settings.serve)
    )
    app.state.mcp = server.session_manager.asgi_app
    async with server.session_manager.run():
        yield


def _security(serve: ServeSettings) -> TransportSecuritySettings:
    """Against another site's page that reaches the service by a name of its own. Where nobody has said what the
    service is called, its names can't be known; whoever calls needs a token then, which such a page doesn't have."""
    from mcp.server.transport_security import TransportSecuritySettings

    public = [urlsplit(serve.public_url).netloc] if serve.public_url else []
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=serve.on_loopback or bool(public),
        allowed_hosts=[*public, *_LOOPBACK, *(f"{name}:*" for name in _LOOPBACK)],
        allowed_origins=[
            *([serve.public_url.rstrip("/")] if serve.public_url else []),
            *serve.cors_origins,
            *(f"http://{name}{port}" for name in _LOOPBACK for port in ("", ":*")),
        ],
    )
