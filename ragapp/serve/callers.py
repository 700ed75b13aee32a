"""Who asks, and what they may: looked up anew for every request, by cookie, API token, or single-user mode."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from ragapp.catalog.service_rows import PersonRow, TokenScope
from ragapp.errors import CatalogError
from ragapp.serve.connections import known
from ragapp.serve.house import House, house_of
from ragapp.serve.problems import Refused, forbidden, not_found
from ragapp.types import Principal

COOKIE = "ragapp_session"
CSRF_HEADER = "x-csrf-token"
Right = Literal["public", "ask", "curate", "admin"]
"""What a route needs: nothing, an account, a collection to look after, or to be an admin."""
_ALL: frozenset[TokenScope] = frozenset({"ask", "curate", "admin"})
_UNCONFIRMED = "The company's sign-in has to vouch for this account again; sign in there in the browser."
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request, with their groups and rights at this moment."""

    person: PersonRow
    scopes: frozenset[TokenScope] = _ALL
    """What the token that was used is good for; everything for a browser."""
    until: datetime | None = None
    """When the token that was used expires."""
    csrf: str = ""
    """What the browser's session must send back with whatever changes something."""
    again: Callable[[], Caller | None] = field(default=lambda: None, compare=False, repr=False)
    """Who sends the same request now; None where what they came with lets nobody in any more."""

    @property
    def principal(self) -> Principal:
        return self.person.principal

    @property
    def is_admin(self) -> bool:
        return self.person.role == "admin" and "admin" in self.scopes

    def may_curate(self, collection: str) -> bool:
        """Whether this caller may change what is in a collection."""
        return self.is_admin or ("curate" in self.scopes and collection in self.person.curates)

    def must_curate(self, collection: str) -> None:
        """Raises Refused: "not found" where the collection isn't theirs to know of."""
        if not self.may_curate(collection):
            raise forbidden(f"Only whoever looks after the collection {collection} may do this; ask an admin.")

    def has(self, right: Right) -> bool:
        """Whether the person has it at all; for which collection is the route's to ask."""
        if right == "admin":
            return self.is_admin
        if right == "curate":
            return self.is_admin or ("curate" in self.scopes and bool(self.person.curates))
        return right == "public" or "ask" in self.scopes


class Needs:
    """A dependency that lets through whoever has a right. A route without one fails the tests."""

    def __init__(self, right: Right) -> None:
        self.right: Right = right

    def __call__(self, request: Request) -> Caller:
        caller = caller_of(request)
        if caller is None:
            if _awaits_provider(request):
                raise Refused(HTTPStatus.UNAUTHORIZED, _UNCONFIRMED, {"WWW-Authenticate": "Bearer"})
            raise Refused(
                HTTPStatus.UNAUTHORIZED, "Sign in first, or send an API token.", {"WWW-Authenticate": "Bearer"}
            )
        request.state.caller = caller  # what goes wrong is told by who asked
        if not caller.has(self.right):
            lacking = {"admin": "Only admins may do this.", "curate": "Only curators of a collection may do this."}
            raise forbidden(lacking.get(self.right, "This token may not be used for this."))
        return caller


Asker = Annotated[Caller, Depends(Needs("ask"))]
Curator = Annotated[Caller, Depends(Needs("curate"))]
Admin = Annotated[Caller, Depends(Needs("admin"))]


class OpenToAll:
    """The mark of a route that anybody may call."""

    right: Right = "public"

    def __call__(self) -> None:
        """Nothing is asked."""


public = Depends(OpenToAll())


def caller_of(request: HTTPConnection) -> Caller | None:
    """Whoever sent the request; None where nobody known did. Raises Refused for a forged request of a browser."""
    found = _found(request)
    if found is None:
        return None
    known(request.scope)
    return replace(found, again=lambda: caller_of(request))


def brings_nothing(request: HTTPConnection) -> bool:
    """Whether nothing was sent by which anybody could be known, so that nothing has to be looked up."""
    single = house_of(request).settings.serve.single_user
    return not (single or _bearer(request) or request.cookies.get(COOKIE))


def _found(request: HTTPConnection) -> Caller | None:
    house = house_of(request)
    if secret := _bearer(request):
        found = _by_token(house, secret)
        # OpenAI's clients always send a key; where nobody signs in, one that is no token means nothing
        if found or not house.settings.serve.single_user:
            return found
    if house.settings.serve.single_user:
        same_site(request, house)
        return Caller(house.local_person())
    cookie = request.cookies.get(COOKIE)
    session = house.catalog.credentials.session(cookie) if cookie else None
    if session is None:
        return None
    same_site(request, house)
    if _changes(request) and not _same(request.headers.get(CSRF_HEADER, ""), session.csrf):
        raise forbidden(f"The header {CSRF_HEADER} is missing or wrong; reload the page.")
    person = house.active(session.person_id)
    return Caller(person, csrf=session.csrf) if person else None


def _awaits_provider(request: HTTPConnection) -> bool:
    """Whether what was sent would open, and only the provider's word on its person is missing."""
    if brings_nothing(request):
        return False
    catalog = house_of(request).catalog
    token = catalog.credentials.token(_bearer(request)) if _bearer(request) else None
    session = catalog.credentials.session(request.cookies.get(COOKIE, "")) if token is None else None
    known = token or session
    if known is None:
        return False
    try:
        person = catalog.people.get(known.person_id)
    except CatalogError:
        return False
    return person.active and person.subject is not None


def _by_token(house: House, secret: str) -> Caller | None:
    if _is_owners(house, secret):
        return Caller(house.local_person())
    token = house.catalog.credentials.token(secret)
    person = house.active(token.person_id) if token else None
    if token is None or person is None:
        return None
    return Caller(person, scopes=token.scopes, until=token.expires)


def sent_by_owner(request: HTTPConnection) -> bool:
    """Whether a command of the data folder's owner sent it, who alone can read the note that holds the secret."""
    return _is_owners(house_of(request), _bearer(request))


def _bearer(request: HTTPConnection) -> str:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _is_owners(house: House, secret: str) -> bool:
    return bool(house.handover_secret) and _same(secret, house.handover_secret)


def _same(given: str, kept: str) -> bool:
    """In a time that doesn't tell how much of it was right."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), kept.encode())


def _changes(request: HTTPConnection) -> bool:
    return request.scope["type"] == "http" and request.scope["method"] not in _SAFE


def same_site(request: HTTPConnection, house: House) -> None:
    """Another site's page must not act with the visitor's cookie, or reach a service on loopback by another name."""
    host = request.headers.get("host", "")
    if house.settings.serve.single_user and urlsplit(f"//{host}").hostname not in ("localhost", "127.0.0.1", "::1"):
        raise forbidden("In single-user mode the service answers to localhost only.")
    if request.scope["type"] == "http" and not _changes(request):
        return
    # browsers let any page open a WebSocket to anywhere, and send the cookie along
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise forbidden("Another site's page sent this; open ragapp's own page.")
    origin = request.headers.get("origin")
    own = {house.settings.serve.public_url, f"http://{host}", f"https://{host}"}
    if origin and origin not in own:
        raise forbidden("Another site's page sent this; open ragapp's own page.")


def within_conversation(caller: Caller, conversation_group: str) -> Principal:
    """The caller as they ask in a conversation of theirs that has files of its own."""
    principal = caller.principal
    return replace(principal, groups=principal.groups | {conversation_group})


__all__ = ["COOKIE", "Admin", "Asker", "Caller", "Curator", "Needs", "caller_of", "not_found", "public", "same_site"]
