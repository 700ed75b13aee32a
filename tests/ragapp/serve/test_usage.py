"""What questions cost: sums and spreads, one's own unless one is an admin; and the figures of what is loaded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

from ragapp.catalog.service_rows import AnswerState, UsageRow
from ragapp.models import hub, seal
from ragapp.serve.routes import models
from ragapp.serve.routes.usage import _spread
from ragapp.settings import Settings

from .conftest import Service


def asked(
    office: Service,
    name: str,
    days_ago: int = 0,
    collections: tuple[str, ...] = (),
    status: AnswerState = "answered",
    total_s: float = 1.0,
) -> None:
    person = office.house.catalog.people.find(name=name)
    assert person
    at = datetime.now(UTC) - timedelta(days=days_ago)
    office.house.catalog.usage.note(
        UsageRow(at, person.id, "api", frozenset(collections), "m", status, 100, 40, 10, 0.1, 0.5, total_s)
    )


def test_by_day_collection_and_state(office: Service) -> None:
    asked(office, "ada", 0, ("board", "default"))
    asked(office, "ada", 1, ("board",), "not_found")
    asked(office, "bob", 1, status="failed")
    asked(office, "bob", 40)
    with office.client(office.token("root")) as root:
        days = root.get("/v1/usage", params={"by": "day", "days": 30}).json()
        assert [of["questions"] for of in days["by"]] == [2, 1]
        total = days["total"]
        assert (total["questions"], total["answered"], total["not_found"], total["failed"]) == (3, 1, 1, 1)
        assert (total["prompt_tokens"], total["cached_tokens"], total["completion_tokens"]) == (300, 120, 30)
        split = root.get("/v1/usage", params={"by": "collection"}).json()["by"]
        assert {of["key"]: of["questions"] for of in split} == {"(all)": 1, "board": 2, "default": 1}


@pytest.mark.parametrize("by", ["day", "collection", "person", "model", "door"])
def test_readers_and_weak_tokens_see_their_own_only(office: Service, by: str) -> None:
    asked(office, "ada")
    asked(office, "root")
    with office.client(office.token("bob")) as bob, office.client(office.token("root", "ask")) as weak:
        assert bob.get("/v1/usage", params={"by": by}).json()["total"]["questions"] == 0
        assert weak.get("/v1/usage", params={"by": by}).json()["total"]["questions"] == 1


def test_spreads() -> None:
    assert _spread([]).p50 is None
    assert (_spread([3.0]).p50, _spread([3.0]).p95) == (3.0, 3.0)
    hundred = _spread([float(n) for n in range(100, -1, -1)])
    assert (hundred.p50, hundred.p95) == (50.0, 95.0)


def test_what_is_loaded_and_how_it_fares(office: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with office.client(office.token("bob")) as bob, office.client(office.token("root")) as root:
        told = bob.get("/v1/models").json()
        assert {model["role"] for model in told["models"]} == {"chat", "embedder"}
        assert all(model["licence"] for model in told["models"])
        # what it weighs, and why it isn't ready, is for admins
        assert told["engine"]["memory_mib"] is None
        assert root.get("/v1/models").json()["engine"]["memory_mib"] > 0


def test_a_downloaded_model_that_no_registry_has_shows_its_licence(tmp_path: Path) -> None:
    folder = hub.folder(tmp_path / "models", "firm/model", "0" * 40)
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_text("weights")
    seal.close(folder, licence="mit", commit="0" * 40, model="firm/model")
    settings = Settings(data=tmp_path, chat={"model": str(folder)})
    for admin in (True, False):
        shown = models._model(settings, "chat", admin)
        assert (shown.licence, shown.source) == ("mit", "https://huggingface.co/firm/model")


def test_vllms_own_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    held = CollectorRegistry()
    monkeypatch.setattr(models, "REGISTRY", held)
    assert models._figure("vllm:kv_cache_usage_perc") is None
    Gauge("vllm:kv_cache_usage_perc", "x", ["engine"], registry=held).labels("0").set(0.25)
    queries = Counter("vllm:prefix_cache_queries", "x", ["engine"], registry=held).labels("0")
    hits = Counter("vllm:prefix_cache_hits", "x", ["engine"], registry=held).labels("0")
    assert models._share("vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total") is None
    queries.inc(200)
    hits.inc(150)
    assert models._share("vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total") == 0.75
    assert models._figure("vllm:kv_cache_usage_perc") == 0.25
    assert REGISTRY is not held
