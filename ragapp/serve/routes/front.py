"""The web page's way through the service: for whoever is signed in, read only."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from urllib.parse import quote

from fastapi import APIRouter, Request, WebSocket
from fastapi.responses import RedirectResponse, Response

from ragapp.errors import RagappError
from ragapp.serve.callers import caller_of, public
from ragapp.serve.house import House, house_of
from ragapp.serve.page import page
from ragapp.serve.page_proxy import PREFIX, PageDown
from ragapp.serve.problems import Refused, not_found

router = APIRouter(include_in_schema=False)
_RIGHT_GONE = 4401
"""What the page's WebSocket is closed with, where nobody is signed in (RFC 6455 leaves 4000 and up to us)."""


@router.get(PREFIX, dependencies=[public])
@router.get(PREFIX + "/{path:path}", dependencies=[public])
async def front(request: Request, path: str = "") -> Response:
    """The page and all that belongs to it; to the form to sign in where nobody is."""
    house = house_of(request)
    if house.page is None:
        raise not_found("page")
    caller = await asyncio.to_thread(caller_of, request)
    wanted = "text/html" in request.headers.get("accept", "")
    if caller is None:
        if not wanted:
            raise Refused(HTTPStatus.UNAUTHORIZED, "Sign in first.")
        onward = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(onward, safe='')}", HTTPStatus.SEE_OTHER)
    if request.url.path == PREFIX:
        # Streamlit's own addresses are relative to this folder
        return RedirectResponse(f"{PREFIX}/", HTTPStatus.SEE_OTHER)
    try:
        return await house.page.fetch(request)
    except PageDown:
        if wanted:
            return page(request, "page_down.html", HTTPStatus.SERVICE_UNAVAILABLE)
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "The page is being started; try again in a moment.") from None


@router.websocket(PREFIX + "/{path:path}", dependencies=[public])
async def front_stream(websocket: WebSocket, path: str) -> None:
    """The page's own connection. What it shows is asked of the service anew, with the visitor's session, each time."""
    house: House = websocket.app.state.house
    try:
        caller = await asyncio.to_thread(caller_of, websocket)
    except RagappError:
        caller = None
    if caller is None or house.page is None:
        await websocket.close(_RIGHT_GONE)
        return
    await house.page.talk(websocket)
