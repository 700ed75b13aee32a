"""Spans from a request to the engine, and no word of anybody's in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ragapp import RagApp, Settings
from ragapp.engine.vllm import VllmEngine
from ragapp.errors import BadQuestion
from ragapp.serve import app as service_app
from ragapp.serve.traces import Traces, open_traces

from .conftest import Service, move_in, running, wait_until

QUESTION = "When does the office open?"


@pytest.mark.parametrize("with_text", [False, True])
def test_a_question_from_its_request_to_its_answer(
    tmp_path: Path, models_dir: Path, engine: VllmEngine, firm: Path, monkeypatch: pytest.MonkeyPatch, with_text: bool
) -> None:
    exporter = InMemorySpanExporter()
    traces = Traces(exporter, with_text=with_text)
    monkeypatch.setattr(service_app, "open_traces", lambda endpoint, with_text: traces)
    with RagApp(Settings(data=tmp_path / "data"), models_dir=models_dir, engine=engine) as rag:
        move_in(rag, firm)
        with running(rag) as service, service.client(service.token("bob")) as bob:
            wait_until(lambda: service.house.engine.is_ready)
            above = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            answer = bob.post("/v1/answers", json={"question": QUESTION}, headers={"traceparent": above})
            assert "7:45" in answer.json()["answer"]
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert {"POST /v1/answers", "answer", "retrieve", "generate"} <= set(spans)
    request, asked = spans["POST /v1/answers"], spans["answer"]
    assert f"{request.context.trace_id:032x}" == above.split("-")[1], "it hangs below the caller's own"
    assert request.attributes and request.attributes["ragapp.request_id"] == answer.headers["x-request-id"]
    assert asked.parent and asked.parent.span_id == request.context.span_id
    for part in ("retrieve", "generate"):
        assert spans[part].parent and spans[part].parent.span_id == asked.context.span_id
        assert (asked.start_time or 0) - 1e8 <= (spans[part].start_time or 0) <= (spans[part].end_time or 0)
    said = " ".join(span.to_json() for span in spans.values())
    assert ("office" in said) is with_text and ("7:45" in said) is with_text


def test_without_an_address_nothing_is_traced() -> None:
    assert open_traces(None, with_text=True) is None


def test_vllms_own_figures_stand_beside_ours(service: Service) -> None:
    with service.signed_in("root") as root:
        root.post("/v1/answers", json={"question": QUESTION})
        said = root.get("/metrics").text
        engine = root.get("/v1/models").json()["engine"]
    assert "vllm:prompt_tokens_total" in said and "ragapp_answers_total" in said
    assert engine["kv_cache_used"] is not None and engine["prefix_cache_hits"] is not None


def test_an_error_is_its_kind_and_not_its_words() -> None:
    exporter = InMemorySpanExporter()
    traces = Traces(exporter)
    with (
        pytest.raises(BadQuestion),
        traces.request("POST", {}, "0f3c9a"),
        traces.answer("What does the director earn?"),
    ):
        raise BadQuestion("The question about the director is odd.")
    traces.close()
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["answer", "POST"]
    assert all(span.attributes and span.attributes["error.type"] == "BadQuestion" for span in spans)
    assert "director" not in " ".join(span.to_json() for span in spans)
