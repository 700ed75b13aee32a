"""API tokens: each for a person, some purposes, and a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from ragapp.catalog.service_rows import TokenRow, TokenScope
from ragapp.serve.callers import Asker
from ragapp.serve.house import house_of
from ragapp.serve.problems import forbidden, not_found
from ragapp.serve.shapes import Id, Name, Wire

router = APIRouter(prefix="/v1/tokens", tags=["people"])


class TokenIn(Wire):
    name: Name = Field(description="What it is for.", examples=["nightly report"])
    scopes: list[TokenScope] = Field(
        ["ask"],
        min_length=1,
        max_length=3,
        description="ask: questions, search, reading; curate: bringing documents in; admin: administering. Never more "
        "than its person may.",
    )
    days: int = Field(90, ge=1, le=366, description="Days until it expires.")


class TokenOut(BaseModel):
    id: str
    person_id: str
    name: str
    scopes: list[TokenScope]
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    used: datetime | None = Field(description="When it was last used, to the minute.")


class NewToken(BaseModel):
    token: TokenOut
    secret: str = Field(description="Shown only now; send it as `Authorization: Bearer …`.")


@router.get("", operation_id="list_tokens")
def list_tokens(
    request: Request, caller: Asker, everybody: Annotated[bool, Query(description="For admins: all people's.")] = False
) -> list[TokenOut]:
    """One's own tokens, newest first; revoked and expired ones too."""
    if everybody and not caller.is_admin:
        raise forbidden("Only admins may see other people's tokens.")
    found = house_of(request).catalog.credentials.tokens(None if everybody else caller.person.id)
    return [token_out(token) for token in found]


@router.post("", operation_id="add_token", status_code=HTTPStatus.CREATED)
def add_token(request: Request, given: TokenIn, caller: Asker) -> NewToken:
    """Make a token for oneself. A token can't make one that may more, or lasts longer, than itself."""
    house = house_of(request)
    if not set(given.scopes) <= caller.scopes:
        raise forbidden("A token can't make one that may more than itself; sign in in the browser.")
    expires = datetime.now(UTC) + timedelta(days=given.days)
    if caller.until is not None:
        # else whoever finds a token could keep it alive for ever
        expires = min(expires, caller.until)
    secret, token = house.catalog.credentials.add_token(caller.person.id, given.name, set(given.scopes), expires)
    house.note(caller.person.id, "token.add", token.id, scopes=sorted(given.scopes), days=given.days)
    return NewToken(token=token_out(token), secret=secret)


@router.delete("/{token_id}", operation_id="revoke_token", status_code=HTTPStatus.NO_CONTENT)
def revoke_token(request: Request, token_id: Annotated[Id, Path()], caller: Asker) -> Response:
    """From now on it opens nothing. One's own; admins may revoke anybody's."""
    house = house_of(request)
    whose = None if caller.is_admin else caller.person.id
    if token_id not in {token.id for token in house.catalog.credentials.tokens(whose)}:
        raise not_found("token")
    house.catalog.credentials.revoke(token_id)
    house.note(caller.person.id, "token.revoke", token_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def token_out(token: TokenRow) -> TokenOut:
    return TokenOut(
        id=token.id,
        person_id=token.person_id,
        name=token.name,
        scopes=sorted(token.scopes),
        created=token.created,
        expires=token.expires,
        revoked=token.revoked,
        used=token.used,
    )
