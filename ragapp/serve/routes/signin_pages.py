"""The service's own pages: signing in and out, using an invitation, what this place is. They need no scripts."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from ragapp import __version__
from ragapp.answer.unseen import seen
from ragapp.catalog.service_rows import InviteRow
from ragapp.errors import RagappError
from ragapp.serve.callers import COOKIE, caller_of, public
from ragapp.serve.entrance import address_of, by_link, by_password, close_session, open_session
from ragapp.serve.house import House, house_of
from ragapp.serve.page import expect_own_form, own_path, page, sign_in_page
from ragapp.serve.page_proxy import PREFIX
from ragapp.serve.passwords import SHORTEST_PASSWORD
from ragapp.serve.problems import Refused, status_of
from ragapp.serve.wording import told

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_LONGEST_FIELD = 1000
Field = Annotated[str, Form(max_length=_LONGEST_FIELD)]


@router.get("/", dependencies=[public])
def front(request: Request) -> Response:
    """That the service runs, and who is signed in."""
    house = house_of(request)
    caller = caller_of(request)
    if caller is None:
        return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    if house.page:
        return RedirectResponse(f"{PREFIX}/", HTTPStatus.SEE_OTHER)
    return page(
        request,
        "front.html",
        person=caller.person,
        groups=sorted(caller.principal.visible_groups),
        state=house.engine.readiness.state,
        version=__version__,
        single_user=house.settings.serve.single_user,
    )


@router.get("/sign-in", dependencies=[public])
def sign_in_form(request: Request, next: str = "/") -> Response:
    """The form, or on to where one wanted to go if one is in already."""
    if caller_of(request):
        return RedirectResponse(own_path(next), HTTPStatus.SEE_OTHER)
    return sign_in_page(request, house_of(request), next)


@router.post("/sign-in", dependencies=[public])
def sign_in(
    request: Request, name: Field = "", password: Field = "", next: Field = "/", form_token: Field = ""
) -> Response:
    """Sign in by the form."""
    house = house_of(request)
    try:
        expect_own_form(request, form_token)
        if not name or not password:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Fill in name and password.")
        person = by_password(house, address_of(request), name, password)
    except RagappError as error:
        shown = sign_in_page(request, house, next, fault=told(error, admin=False), name=name, status=status_of(error))
        return _with_headers(shown, error)
    response = RedirectResponse(own_path(next), HTTPStatus.SEE_OTHER)
    open_session(request, response, house, person)
    return response


@router.get("/sign-out", dependencies=[public])
def sign_out_form(request: Request) -> Response:
    """Asked first: a link alone, which another site could make, signs nobody out."""
    return page(request, "sign_out.html") if caller_of(request) else RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)


@router.post("/sign-out", dependencies=[public])
def sign_out(request: Request, form_token: Field = "") -> Response:
    """Sign this browser out by the form."""
    house = house_of(request)
    try:
        expect_own_form(request, form_token)
    except RagappError as error:
        return sign_in_page(request, house, "/", fault=told(error, admin=False), status=status_of(error))
    response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    session = house.catalog.credentials.session(request.cookies.get(COOKIE, ""))
    close_session(request, response, house, session.person_id if session else "")
    return response


@router.get("/join/{secret}", dependencies=[public])
def join_form(request: Request, secret: str) -> Response:
    """The form of an invitation. Looking at it doesn't use the link up: previews and scanners of mails do that too."""
    house = house_of(request)
    try:
        invite = house.catalog.credentials.invited(secret)
    except RagappError as error:
        return page(request, "lost.html", HTTPStatus.GONE, fault=told(error, admin=False))
    return _join_page(request, house, invite, secret)


@router.post("/join/{secret}", dependencies=[public])
def join(
    request: Request,
    secret: str,
    name: Field = "",
    display: Field = "",
    password: Field = "",
    again: Field = "",
    end_tokens: Field = "",
    form_token: Field = "",
) -> Response:
    """Make the account, or set the new password, and sign in."""
    house = house_of(request)
    try:
        invite = house.catalog.credentials.invited(secret)
    except RagappError as error:
        return page(request, "lost.html", HTTPStatus.GONE, fault=told(error, admin=False))
    try:
        expect_own_form(request, form_token)
        wanted = None if invite.person_id else _good_name(name)
        if password != again:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "The two passwords differ; write the same one twice.")
        person = by_link(
            house,
            address_of(request),
            secret,
            password,
            wanted,
            _one_line(display) or None,
            end_tokens=bool(end_tokens),
        )
    except RagappError as error:
        shown = _join_page(
            request,
            house,
            invite,
            secret,
            fault=told(error, admin=False),
            name=name,
            display=display,
            status=status_of(error),
        )
        return _with_headers(shown, error)
    response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    open_session(request, response, house, person)
    return response


def _join_page(
    request: Request,
    house: House,
    invite: InviteRow,
    secret: str,
    *,
    fault: str = "",
    name: str = "",
    display: str = "",
    status: int = HTTPStatus.OK,
) -> HTMLResponse:
    known = house.catalog.people.get(invite.person_id).name if invite.person_id else ""
    return page(
        request,
        "join.html",
        status,
        fault=fault,
        action=f"/join/{quote(secret, safe='')}",
        known=known,
        is_admin=invite.role == "admin" and not known,
        name=name,
        display=display,
        shortest=SHORTEST_PASSWORD,
    )


def _good_name(given: str) -> str:
    name = _one_line(given)
    if not name or len(name) > 200:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Choose a name of 1 to 200 characters.")
    return name


def _one_line(given: str) -> str:
    return " ".join(seen("".join(c if c.isprintable() else " " for c in given)).split())[:201]


def _with_headers(response: HTMLResponse, error: RagappError) -> HTMLResponse:
    for name, value in getattr(error, "headers", {}).items():
        response.headers[name] = value
    return response
