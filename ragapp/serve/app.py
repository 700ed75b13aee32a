"""The service as an ASGI app: parts put together, routes, and what happens at its start and end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from ipaddress import ip_network
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from ragapp import __version__
from ragapp.app import RagApp
from ragapp.open_files import room
from ragapp.serve.answers import INTERRUPTED, Answers
from ragapp.serve.bodies import SMALL_BODY
from ragapp.serve.care import EngineCare
from ragapp.serve.connections import Connections, Limits
from ragapp.serve.cursors import Cursors
from ragapp.serve.drawing import Drawing
from ragapp.serve.forgetting import keep_sweeping
from ragapp.serve.house import House
from ragapp.serve.json_bounds import modest
from ragapp.serve.line import Line
from ragapp.serve.mcp import route as mcp
from ragapp.serve.metrics import Metrics
from ragapp.serve.oidc import Provider
from ragapp.serve.openai import routes as openai
from ragapp.serve.openai.errors import wrong_address_in_shape
from ragapp.serve.page_care import PageCare
from ragapp.serve.page_proxy import PageProxy
from ragapp.serve.problems import answer_errors, unexpected
from ragapp.serve.requests import AroundRequests
from ragapp.serve.routes import (
    answers,
    attachments,
    audit,
    backup,
    collections,
    conversations,
    description,
    documents,
    feedback,
    front,
    groups,
    health,
    jobs,
    models,
    oidc,
    people,
    reading,
    search,
    session,
    signin_pages,
    sources,
    suggestions,
    tokens,
    usage,
)
from ragapp.serve.shapes import Problem
from ragapp.serve.signin import Tries
from ragapp.serve.spooling import Spooling
from ragapp.serve.traces import open_traces
from ragapp.serve.work import Work
from ragapp.settings import ServeSettings

_PARTS = (
    health, session, answers, search, conversations, feedback, people, groups, tokens, models, usage, audit,
    documents, reading, collections, sources, jobs, attachments, openai, mcp, oidc, signin_pages, suggestions,
    backup, description, front,
)  # fmt: skip
_UPLOADS_EACH, _UPLOADS = 4, 10
"""The largest files that one person, and all together, may be sending at once."""
_PROBLEM: dict[str, Any] = {
    "content": {"application/problem+json": {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}},
    "description": "One sentence on what went wrong.",
}
_STATUSES = (400, 401, 403, 404, 409, 413, 422, 429, 503, 507)
# the schema comes along with one of them: a model for each would be compiled a thousand times over at each start
_PROBLEMS: dict[int | str, dict[str, Any]] = {**dict.fromkeys(_STATUSES, _PROBLEM), 500: {**_PROBLEM, "model": Problem}}


def build_house(rag: RagApp, page_care: PageCare | None = None) -> House:
    """The service's parts around a RagApp; with `page_care` a page's process is one of them."""
    serve = rag.settings.serve
    page_url = page_care.url if page_care else serve.page_url
    line = Line(rag.settings.engine.max_parallel, serve.queue, serve.queue_each)
    metrics = Metrics()
    traces = open_traces(serve.traces, with_text=serve.trace_text)
    return House(
        rag=rag,
        line=line,
        tries=Tries(serve.sign_in_tries),
        metrics=metrics,
        answers=Answers(rag, line, metrics, serve.leave_grace_s, traces),
        traces=traces,
        engine=EngineCare(rag, serve.engine_restarts),
        work=Work(rag, lambda: line.waiting + line.running > 0, metrics),
        drawing=Drawing(),
        connections=_connections(serve, metrics),
        spooling=Spooling(_UPLOADS_EACH * (serve.upload_mib << 20), _UPLOADS * (serve.upload_mib << 20)),
        cursors=Cursors(rag.settings.data / "secret"),
        provider=Provider(serve.oidc) if serve.oidc.issuer and not serve.single_user else None,
        page=PageProxy(page_url) if page_url else None,
        page_care=page_care,
    )


def _connections(serve: ServeSettings, metrics: Metrics) -> Connections:
    # only with public_url is anybody's word for a visitor's address believed
    proxies = [ip_network(each, strict=False) for each in serve.proxies] if serve.public_url else []
    limits = Limits(room(serve.connections).connections, serve.connections_each)
    return Connections(limits, proxies, lambda why: metrics.connections_ended.labels(why).inc())


def build_app(house: House) -> FastAPI:
    """The service. It listens at once; models are loaded in the background."""
    app = FastAPI(
        title="ragapp",
        version=__version__,
        summary="Cited answers from your own documents, on your own hardware.",
        lifespan=_lifespan,
        # these are ours
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.house = house
    app.router.routes.extend(_routes())
    answer_errors(app)
    app.add_exception_handler(HTTPException, wrong_address_in_shape)
    serve = house.settings.serve
    if serve.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(serve.cors_origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["authorization", "content-type", "last-event-id"],
        )
    uploads = serve.upload_mib << 20

    def largest(path: str) -> int:
        return uploads + SMALL_BODY if path.endswith(("/documents", "/files")) else SMALL_BODY

    app.add_middleware(
        AroundRequests,
        observe=house.metrics.observe_request,
        largest=largest,
        fail=unexpected,
        connections=house.connections,
        spooling=house.spooling,
        traces=house.traces,
    )
    return app


@cache
def _routes() -> list[BaseRoute]:
    """All addresses, made once: they find their house in the app that a request comes to."""
    together = APIRouter(responses=_PROBLEMS, dependencies=[Depends(modest)])
    for part in _PARTS:
        together.include_router(part.router)
    return together.routes


def _build_light(rag: RagApp) -> None:
    """What needs no model is built before any is loaded, which holds up what is built after it for minutes."""
    _ = rag.files, rag.intake, rag.access


def _note_served(house: House, ends: bool = False) -> None:
    """Whether people sign in here: nothing is everyone's for want of a choice as long as they do."""
    with_accounts = not house.settings.serve.single_user
    if with_accounts:
        house.catalog.collection_rules.note_served(with_accounts=not ends)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    house: House = app.state.house
    await asyncio.to_thread(house.catalog.conversations.interrupted, INTERRUPTED)
    await asyncio.to_thread(_note_served, house)
    await asyncio.to_thread(_build_light, house.rag)
    await asyncio.to_thread(house.work.start)
    tasks = [
        asyncio.create_task(house.engine.run(), name="engine care"),
        asyncio.create_task(keep_sweeping(house.rag), name="sweeping"),
        asyncio.create_task(house.standing.run(), name="standing at the provider"),
    ]
    if house.page_care:
        tasks.append(asyncio.create_task(house.page_care.run(), name="page care"))
    try:
        async with mcp.mcp_open(app):
            yield
    finally:
        await house.answers.close(house.settings.serve.stop_grace_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(house.work.close)
        await asyncio.to_thread(_note_served, house, ends=True)
        house.drawing.close()
        if house.page:
            await house.page.close()
        if house.traces:
            await asyncio.to_thread(house.traces.close)
        await asyncio.to_thread(house.rag.close)
