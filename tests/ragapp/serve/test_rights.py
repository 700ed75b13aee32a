"""Every route names the right it needs, and holds to it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount

from ragapp import RagApp, Settings
from ragapp.serve.app import build_app, build_house
from ragapp.serve.callers import Needs, OpenToAll, Right

from .conftest import Service

PUBLIC = {
    "/health/live", "/health/ready", "/openapi.json", "/docs", "/", "/sign-in", "/sign-out", "/join/{secret}",
    "/app", "/app/{path:path}", "/v1/session", "/v1/session/invite", "/v1/oidc/start", "/v1/oidc/callback",
}  # fmt: skip
"""What anybody may call: whether it lives, what it is, and signing in. Nothing else may be added without a thought."""
DOORS = {"/mcp"}
"""Mounted apps that ask for a token themselves."""


def routes(held: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str, BaseRoute]]:
    """(method, path, route) of an app, included routers and mounts too."""
    for route in held:
        if isinstance(route, APIRoute):
            for method in sorted(route.methods - {"HEAD"}):
                yield method, prefix + route.path, route
        elif inner := getattr(route, "routes", None) or getattr(
            getattr(route, "original_router", None), "routes", None
        ):
            yield from routes(list(inner), prefix + (getattr(route, "path", "") if isinstance(route, Mount) else ""))
        else:
            yield "GET", prefix + getattr(route, "path", "?"), route


def right_of(dependant: Dependant) -> set[Right]:
    found = {dependant.call.right} if isinstance(dependant.call, (Needs, OpenToAll)) else set()
    return found.union(*(right_of(each) for each in dependant.dependencies))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    with RagApp(Settings(data=tmp_path_factory.mktemp("rights"))) as rag:
        yield build_app(build_house(rag))


def test_every_route_is_marked_with_one_right(app: FastAPI) -> None:
    found = list(routes(app.routes))
    assert len(found) > 8
    for method, path, route in found:
        if isinstance(route, APIRoute):
            assert len(right_of(route.dependant)) == 1, f"{method} {path} names no right, or two"
        else:
            assert path in PUBLIC or path in DOORS, f"{method} {path} is no route of ours"


def test_only_these_are_open_to_all(app: FastAPI) -> None:
    marked = {
        path
        for _, path, route in routes(app.routes)
        if isinstance(route, APIRoute) and right_of(route.dependant) == {"public"}
    }
    assert marked <= PUBLIC


def test_without_rights_and_with_the_wrong_ones(office: Service) -> None:
    wrong: dict[Right, tuple[str, list[str]]] = {
        "ask": ("root", ["curate"]),
        "curate": ("bob", ["ask", "curate"]),
        "admin": ("ada", ["ask", "curate", "admin"]),
    }
    tokens = {right: office.token(name, *scopes) for right, (name, scopes) in wrong.items()}
    weak = {
        right: office.token(
            "root", *({"ask", "curate", "admin"} - {right} - ({"admin"} if right == "curate" else set()))
        )
        for right in wrong
    }
    with office.client() as nobody:
        tried = 0
        for method, path, route in routes(build_app(office.house).routes):
            if not isinstance(route, APIRoute):
                continue
            (right,) = right_of(route.dependant)
            if right == "public":
                continue
            filled = re.sub(r"\{[^}]*\}", "1", path)
            tried += 1
            assert nobody.request(method, filled).status_code == 401, f"{method} {path} lets nobody known in"
            for which, token in (("person", tokens[right]), ("token", weak[right])):
                response = nobody.request(method, filled, headers={"authorization": f"Bearer {token}"})
                assert response.status_code == 403, f"{method} {path} lets a {which} without {right} in"
                own = response.headers["x-request-id"]
                # OpenAI's clients expect a shape of their own
                assert path.startswith("/openai/") or response.json()["request_id"] == own
        assert tried > 5


@pytest.mark.parametrize("secret", ["x", "rag_" + "A" * 43, "Bearer", "\u00e9"])
def test_a_wrong_token_is_nobody(office: Service, secret: str) -> None:
    with office.client() as nobody:
        headers = {"authorization": b"Bearer " + secret.encode()}
        assert nobody.get("/v1/session", headers=headers).status_code == 401
