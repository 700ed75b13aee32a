"""The few pages that the service itself shows: plain HTML that needs no script, and forms that only they can send."""

from __future__ import annotations

import hmac
import re
import secrets
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ragapp.serve.callers import same_site
from ragapp.serve.entrance import set_cookie
from ragapp.serve.house import House, house_of
from ragapp.serve.problems import forbidden

FORM_COOKIE = "ragapp_form"
_FORM_LASTS_S = 24 * 3600
_FORM_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]{0,1000}")
_POLICY = (
    "default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


def page(request: Request, template: str, status: int = HTTPStatus.OK, **values: Any) -> HTMLResponse:
    """A page. Its forms carry the token that `expect_own_form` asks for."""
    house, nonce = house_of(request), secrets.token_urlsafe(16)
    kept = request.cookies.get(FORM_COOKIE, "")
    # one token for all of a browser's tabs
    token = kept if _FORM_TOKEN.fullmatch(kept) else secrets.token_urlsafe(32)
    html = _templates().get_template(template).render(nonce=nonce, form_token=token, **values)
    headers = {
        "Content-Security-Policy": _POLICY.format(nonce=nonce),
        "Cache-Control": "no-store",
        # without any referrer a browser would send its forms with the origin "null"
        "Referrer-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }
    response = HTMLResponse(html, status, headers)
    if token != kept:
        set_cookie(request, response, house, FORM_COOKIE, token, _FORM_LASTS_S)
    return response


def expect_own_form(request: Request, token: str) -> None:
    """Raises Refused for a form that was not sent from one of these pages."""
    same_site(request, house_of(request))
    kept = request.cookies.get(FORM_COOKIE, "")
    if not kept or not hmac.compare_digest(token.encode("utf-8", "surrogatepass"), kept.encode()):
        raise forbidden("This form is too old, or cookies are switched off; send it again.")


def own_path(given: str) -> str:
    """A path of this service to go on to; the front page instead of whatever could lead elsewhere."""
    return given if _OWN_PATH.fullmatch(given) else "/"


def sign_in_page(
    request: Request, house: House, onward: str, *, fault: str = "", name: str = "", status: int = HTTPStatus.OK
) -> HTMLResponse:
    """The form to sign in; with a fault in words above it."""
    return page(
        request,
        "sign_in.html",
        status,
        fault=fault,
        name=name,
        onward=own_path(onward),
        provider=house.provider is not None,
    )


@cache
def _templates() -> Environment:
    folder = FileSystemLoader(Path(__file__).parent / "pages")
    return Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
