"""To the company's sign-in provider and back. A browser goes there, so what goes wrong is a page."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from ragapp.errors import RagappError
from ragapp.serve.callers import public
from ragapp.serve.entrance import base_url, by_provider, open_session, set_cookie
from ragapp.serve.house import House, house_of
from ragapp.serve.oidc import STARTED_LASTS_S, Provider
from ragapp.serve.page import own_path, sign_in_page
from ragapp.serve.problems import Refused, status_of
from ragapp.serve.wording import told

OIDC_COOKIE = "ragapp_oidc"
_PATH = "/v1/oidc"
router = APIRouter(prefix=_PATH, tags=["session"])
_A_PAGE: dict[int | str, dict[str, Any]] = {
    status: {
        "description": "A page that says in one sentence what went wrong.",
        "content": {"text/html": {"schema": {"type": "string"}}},
    }
    for status in (400, 403, 409, 503)
}
_ON: dict[int | str, dict[str, Any]] = {303: {"description": "On to where `Location` says."}}
Told = Annotated[str, Query(max_length=4000)]


@router.get(
    "/start",
    operation_id="oidc_start",
    dependencies=[public],
    status_code=HTTPStatus.SEE_OTHER,
    response_class=HTMLResponse,
    responses=_A_PAGE | _ON,
)
def start(
    request: Request,
    next: Annotated[str, Query(max_length=1000, description="The path to go on to afterwards.")] = "/",
) -> Response:
    """Go to the company's provider to sign in there."""
    house = house_of(request)
    provider = _provider(house)
    try:
        address, kept = provider.start(_comes_back_to(request, house), own_path(next))
    except RagappError as error:
        return sign_in_page(request, house, next, fault=told(error, admin=False), status=status_of(error))
    response = RedirectResponse(address, HTTPStatus.SEE_OTHER)
    set_cookie(request, response, house, OIDC_COOKIE, kept, STARTED_LASTS_S, _PATH)
    return response


@router.get(
    "/callback",
    operation_id="oidc_callback",
    dependencies=[public],
    status_code=HTTPStatus.SEE_OTHER,
    response_class=HTMLResponse,
    responses=_A_PAGE | _ON,
)
def callback(
    request: Request, state: Told = "", code: Told = "", iss: Told | None = None, error: Told | None = None
) -> Response:
    """Where the provider sends the browser back to; signs in."""
    house = house_of(request)
    provider = _provider(house)
    sent = {"state": state, "code": code, "iss": iss, "error": error}
    answer = {name: value for name, value in sent.items() if value is not None}
    response: Response
    try:
        who, onward = provider.finish(request.cookies.get(OIDC_COOKIE, ""), answer, _comes_back_to(request, house))
        person = by_provider(house, who)
        response = RedirectResponse(own_path(onward), HTTPStatus.SEE_OTHER)
        open_session(request, response, house, person)
    except RagappError as fault:
        house.note("", "session.refuse", by="provider")
        response = sign_in_page(request, house, "/", fault=told(fault, admin=False), status=status_of(fault))
    response.delete_cookie(OIDC_COOKIE, path=_PATH)
    return response


def _provider(house: House) -> Provider:
    if house.provider is None:
        raise Refused(HTTPStatus.NOT_FOUND, "No sign-in provider is set up here; sign in with name and password.")
    return house.provider


def _comes_back_to(request: Request, house: House) -> str:
    return f"{base_url(request, house)}{_PATH}/callback"
