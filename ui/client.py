"""The only door from the page to the service: HTTP, in the visitor's own name.

Every call carries the cookie of the visitor whose page is being drawn; the service looks up anew what they may.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import quote

import httpx

SERVICE_VARIABLE = "RAGAPP_UI_SERVICE"
"""Where the service listens, handed to the page's process."""
COOKIE = "ragapp_session"
_CONNECT_S = 5.0
_READ_S = 60.0
Json = dict[str, Any]


class ServiceError(Exception):
    """What the service said no with: one sentence for the visitor, and the status."""

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


class SignedOut(ServiceError):
    """Nobody is signed in any more."""


class ServiceDown(ServiceError):
    """The service doesn't answer."""


@dataclass(frozen=True, slots=True)
class Me:
    """The visitor, as the service knows them at this moment."""

    id: str
    name: str
    display: str
    role: str
    groups: tuple[str, ...]
    curates: tuple[str, ...]
    csrf: str
    single_user: bool

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    @property
    def is_curator(self) -> bool:
        return self.is_admin or bool(self.curates)


class Client:
    """Calls the service as one visitor. Every method raises ServiceError with a sentence to show."""

    def __init__(self, http: httpx.Client, cookies: Mapping[str, str]) -> None:
        self._http = http
        self._headers = {"cookie": f"{COOKIE}={cookies[COOKIE]}"} if cookies.get(COOKIE) else {}
        self._me: Me | None = None

    @property
    def me(self) -> Me:
        if self._me is None:
            told = self.get("/v1/session")
            self._me = Me(
                id=told["id"],
                name=told["name"],
                display=told["display"] or told["name"],
                role=told["role"],
                groups=tuple(told["groups"]),
                curates=tuple(told["curates"]),
                csrf=told["csrf"],
                single_user=told["single_user"],
            )
        return self._me

    def get(self, path: str, **query: Any) -> Any:
        """JSON of a resource; query values that are None are left out."""
        return self._call("GET", path, query=query)

    def post(self, path: str, body: Json | None = None) -> Any:
        return self._call("POST", path, body=body if body is not None else {})

    def put(self, path: str, body: Json) -> Any:
        return self._call("PUT", path, body=body)

    def patch(self, path: str, body: Json) -> Any:
        return self._call("PATCH", path, body=body)

    def delete(self, path: str) -> None:
        self._call("DELETE", path)

    def ask(self, question: str, conversation_id: str | None, *, replaces: str | None = None,
            collections: list[str] | None = None) -> str:  # fmt: skip
        """Ask, and leave the answer to whoever reads its events; returns the answer's id."""
        body: Json = {"question": question, "stream": True, "collections": collections or []}
        if conversation_id:
            body["conversation_id"] = conversation_id
        else:
            body["new_conversation"] = True
        if replaces:
            body["replaces"] = replaces
        headers = self._headers | {"x-csrf-token": self.me.csrf}
        try:
            with self._http.stream("POST", "/v1/answers", json=body, headers=headers) as response:
                if response.is_error:
                    response.read()
                    raise _refused(response)
                return response.headers["x-answer-id"]
        except httpx.HTTPError as error:
            raise _down(error) from error

    def _call(self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Json | None = None) -> Any:
        headers = dict(self._headers)
        if method != "GET":
            headers["x-csrf-token"] = self.me.csrf
        given = {key: value for key, value in (query or {}).items() if value is not None}
        try:
            response = self._http.request(method, path, params=given, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise _down(error) from error
        if response.is_error:
            raise _refused(response)
        return response.json() if response.content else None


def open_http(service: str | None = None) -> httpx.Client:
    """Connections to the service, for all visitors of this process; cookies are each call's own."""
    return httpx.Client(
        base_url=service or os.environ.get(SERVICE_VARIABLE, "http://127.0.0.1:8400"),
        timeout=httpx.Timeout(_READ_S, connect=_CONNECT_S),
        # cookies that come back belong to one visitor, and a shared jar would hand them to the next
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        trust_env=False,
    )


def part(text: str) -> str:
    """One part of a path, whatever it holds."""
    return quote(text, safe="")


def _down(error: httpx.HTTPError) -> ServiceDown:
    if isinstance(error, httpx.TimeoutException):
        return ServiceDown("The service takes too long to answer; try again in a moment.")
    return ServiceDown("The service can't be reached at the moment; this page goes on by itself when it is back.")


def _refused(response: httpx.Response) -> ServiceError:
    try:
        told = response.json()
        sentence = str(told["detail"])
    except (json.JSONDecodeError, KeyError, TypeError):
        sentence = f"The service failed with status {response.status_code}."
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return SignedOut(sentence, response.status_code)
    return ServiceError(sentence, response.status_code)
