"""The web page behind the service: one origin for both, so that the page lives in the service's session.

Requests and the page's WebSocket are handed on to Streamlit, for whoever is signed in. Whatever comes back carries a
policy by which the browser loads nothing from other hosts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

import httpx
from fastapi import Request, WebSocket
from fastapi.responses import Response, StreamingResponse
from starlette.background import BackgroundTask
from starlette.websockets import WebSocketDisconnect, WebSocketState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

_log = logging.getLogger(__name__)
PREFIX = "/app"
"""Where the page is; Streamlit is told the same (server.baseUrlPath)."""
_POLICY = (
    "default-src 'none'; script-src 'self' blob: 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "manifest-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'"
)
# what is between two neighbours only (RFC 9110, 7.6.1), and what httpx and our own side set by themselves
_BETWEEN = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade".split()
)
_OF_HANDSHAKE = frozenset(
    "sec-websocket-key sec-websocket-version sec-websocket-extensions sec-websocket-protocol origin".split()
)
_TAKES_S = 30.0


class PageDown(Exception):
    """The page's process doesn't answer."""


class PageProxy:
    """Hands requests on to the page's process. One event loop only."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._client: httpx.AsyncClient | None = None

    async def fetch(self, request: Request) -> Response:
        """What the page's process answers to a GET. Raises PageDown."""
        # not trust_env: a proxy of the company's has no business between the two
        self._client = self._client or httpx.AsyncClient(timeout=_TAKES_S, trust_env=False)
        headers = _onward(request.headers.items(), _BETWEEN)
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        asked = self._client.build_request("GET", self._url + path, headers=headers)
        try:
            answer = await self._client.send(asked, stream=True)
        except httpx.HTTPError as error:
            raise PageDown from error
        kept = [(name, value) for name, value in answer.headers.multi_items() if name.lower() not in _BETWEEN]
        response = StreamingResponse(
            _pieces(answer), answer.status_code, media_type=None, background=BackgroundTask(answer.aclose)
        )
        response.raw_headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in kept]
        response.headers["Content-Security-Policy"] = _POLICY
        return response

    async def talk(self, browser: WebSocket) -> None:
        """Hand messages to and fro until either side leaves."""
        protocols = [Subprotocol(each.strip()) for each in browser.headers.get("sec-websocket-protocol", "").split(",")]
        headers = _onward(browser.headers.items(), _BETWEEN | _OF_HANDSHAKE | {"host"})
        try:
            async with connect(
                f"ws{self._url.removeprefix('http')}{browser.url.path}",
                subprotocols=protocols if protocols != [""] else None,
                additional_headers=headers,
                proxy=None,
                compression=None,
                max_size=None,
                open_timeout=_TAKES_S,
            ) as page:
                await browser.accept(subprotocol=page.subprotocol)
                await _between(browser, page)
        except (OSError, TimeoutError, WebSocketException) as error:
            _log.info("the page's process can't be reached: %s", type(error).__name__)
            if browser.application_state is WebSocketState.CONNECTING:
                await browser.close(1013)
        finally:
            if browser.application_state is WebSocketState.CONNECTED:
                with suppress(RuntimeError, WebSocketDisconnect):
                    await browser.close(1001)

    async def close(self) -> None:
        if self._client:
            await self._client.aclose()


async def _pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it comes, still packed as it was."""
    async for piece in answer.aiter_raw():
        yield piece


def _onward(headers: Iterable[tuple[str, str]], without: frozenset[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in without]


async def _between(browser: WebSocket, page: ClientConnection) -> None:
    """Both directions at once; the first to end ends the other."""

    async def up() -> None:
        while True:
            message = await browser.receive()
            if message["type"] == "websocket.disconnect":
                return
            data = message.get("bytes")
            await page.send(data if data is not None else message.get("text", ""))

    async def down() -> None:
        async for message in page:
            await (browser.send_bytes(message) if isinstance(message, bytes) else browser.send_text(message))

    tasks = [asyncio.create_task(up()), asyncio.create_task(down())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            with suppress(ConnectionClosed, WebSocketDisconnect, RuntimeError):
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
