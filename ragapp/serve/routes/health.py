"""Whether the service lives, and whether it can answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from pydantic import BaseModel

from ragapp.serve.callers import Admin, public
from ragapp.serve.house import house_of

router = APIRouter(tags=["health"])


class Live(BaseModel):
    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    status: Literal["loading", "ready", "restarting", "failed"]
    detail: str = ""


@router.get("/health/live", dependencies=[public], operation_id="live")
async def live() -> Live:
    """The process answers."""
    return Live()


@router.get("/health/ready", dependencies=[public], operation_id="ready", responses={503: {"model": Ready}})
async def ready(request: Request, response: Response) -> Ready:
    """200 when questions can be answered, 503 until then, and which of the reasons it is."""
    now = house_of(request).engine.readiness
    if now.state != "ready":
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        response.headers["Retry-After"] = "2"
    # why it failed is for admins: it names folders
    return Ready(status=now.state, detail="" if now.state == "failed" else now.detail)


@router.get("/metrics", operation_id="metrics", response_class=Response)
def metrics(request: Request, caller: Admin) -> Response:
    """Counters in Prometheus' text format: the service's, then vLLM's own."""
    house = house_of(request)
    counts = house.metrics
    counts.waiting.set(house.line.waiting)
    counts.running.set(house.line.running)
    for phase, count in house.connections.counts().items():
        counts.connections.labels(phase).set(count)
    totals = house.catalog.totals()
    counts.documents.set(totals.documents)
    counts.chunks.set(totals.chunks)
    return Response(generate_latest(counts.registry) + generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
