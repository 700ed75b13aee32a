"""The API's description, for programs and as a page. Anybody may ask for it: it is put together once, not each time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from ragapp.serve.callers import public
from ragapp.serve.page import page

router = APIRouter(include_in_schema=False)
_METHODS = ("get", "put", "post", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Description:
    """What OpenAPI says of the service, in both forms."""

    encoded: bytes
    by_tag: dict[str, list[dict[str, Any]]]
    version: str


@router.get("/openapi.json", dependencies=[public])
async def openapi(request: Request) -> Response:
    """As OpenAPI has it."""
    return Response(_of(request.app).encoded, media_type="application/json")


@router.get("/docs", dependencies=[public])
def docs(request: Request) -> HTMLResponse:
    """As a page, with nothing from other hosts."""
    known = _of(request.app)
    return page(request, "docs.html", by_tag=known.by_tag, version=known.version)


def _of(app: FastAPI) -> Description:
    """Made when it is first asked for, which takes a quarter of a second."""
    state = app.state
    if not hasattr(state, "description"):
        described = app.openapi()
        encoded = json.dumps(described, ensure_ascii=False, separators=(",", ":")).encode()
        state.description = Description(encoded, _by_tag(described), described["info"]["version"])
    known: Description = state.description
    return known


def _by_tag(described: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    by_tag: dict[str, list[dict[str, Any]]] = {}
    schemas = described.get("components", {}).get("schemas", {})
    for path, operations in described["paths"].items():
        for method in _METHODS:
            if operation := operations.get(method):
                shown = {
                    "call": f"{method.upper()} {path}",
                    "description": operation.get("description", ""),
                    "takes": list(_takes(operation, schemas)),
                }
                by_tag.setdefault((operation.get("tags") or ["other"])[0], []).append(shown)
    return by_tag


def _takes(operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[tuple[str, bool, str]]:
    """(name, whether it is needed, what it is) of all that a call takes."""
    for given in operation.get("parameters", []):
        yield given["name"], bool(given.get("required")), given.get("description", "")
    for kind in operation.get("requestBody", {}).get("content", {}).values():
        schema = kind.get("schema", {})
        schema = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
        for name, field in schema.get("properties", {}).items():
            yield name, name in schema.get("required", []), field.get("description", "")
