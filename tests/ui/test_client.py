"""The page's client: refusals in the service's own sentence, and nobody's cookie in anybody else's call."""

from __future__ import annotations

import httpx
import pytest

from ui.client import COOKIE, Client, ServiceDown, ServiceError, SignedOut, open_http, part

from ..ragapp.serve.conftest import PASSWORD, Service


def cookie_of(service: Service, name: str) -> dict[str, str]:
    with service.client() as client:
        client.post("/v1/session", json={"name": name, "password": PASSWORD})
        return {COOKIE: client.cookies[COOKIE]}


def test_each_call_is_made_in_the_visitors_name(office: Service) -> None:
    with open_http(office.url) as http:
        ada, bob = (Client(http, cookie_of(office, name)) for name in ("ada", "bob"))
        assert (ada.me.name, bob.me.name) == ("ada", "bob")
        assert ada.me.is_curator
        assert not bob.me.is_curator
        assert {row["collection"] for row in ada.get("/v1/documents")["documents"]} == {"default", "board"}
        assert {row["collection"] for row in bob.get("/v1/documents")["documents"]} == {"default"}
        with pytest.raises(SignedOut):
            Client(http, {}).get("/v1/documents")


def test_what_is_refused_is_said_as_the_service_says_it(office: Service) -> None:
    with open_http(office.url) as http:
        bob = Client(http, cookie_of(office, "bob"))
        with pytest.raises(ServiceError, match="Only admins may do this") as refused:
            bob.get("/v1/people")
        assert refused.value.status == 403
        with pytest.raises(ServiceError, match="There is no such"):
            bob.get(f"/v1/conversations/{part('no-such')}")


def test_a_service_that_is_away_is_one_sentence() -> None:
    with open_http("http://127.0.0.1:9") as http, pytest.raises(ServiceDown, match="can't be reached at the moment"):
        Client(http, {}).get("/v1/session")


def test_a_service_that_takes_too_long_is_one_sentence() -> None:
    def slow(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("", request=request)

    transport = httpx.MockTransport(slow)
    with (
        httpx.Client(transport=transport, base_url="http://x") as http,
        pytest.raises(ServiceDown, match="takes too long"),
    ):
        Client(http, {}).get("/v1/session")


def test_a_cookie_that_comes_back_is_in_nobodys_next_call() -> None:
    sent: list[str | None] = []

    def answers(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("cookie"))
        return httpx.Response(200, json={}, headers={"set-cookie": f"{COOKIE}=adas; path=/"})

    with open_http("http://127.0.0.1:8400") as http:
        http._transport = httpx.MockTransport(answers)
        Client(http, {COOKIE: "adas"}).get("/v1/session")
        Client(http, {}).get("/v1/session")
    assert sent == [f"{COOKIE}=adas", None]
