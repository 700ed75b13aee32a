"""OpenTelemetry spans from a request to the engine: how long what took, and under which request's id.

No question and no document's text is in them unless serve.trace_text says so; vLLM's own span, which holds counts only,
hangs below the answer's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ragapp.types import Answer

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span


class Traces:
    """Makes spans and has them sent in the background."""

    def __init__(self, exporter: SpanExporter, *, with_text: bool = False) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        # not the process-wide provider, which is vLLM's
        self._provider = TracerProvider(resource=Resource.create({"service.name": "ragapp"}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("ragapp")
        self._with_text = with_text

    @contextmanager
    def request(self, method: str, headers: Mapping[str, str], request_id: str) -> Iterator[Span]:
        """The span of one HTTP request, below the caller's own where it says so (W3C traceparent)."""
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        above = TraceContextTextMapPropagator().extract(headers)
        attributes = {"http.request.method": method, "ragapp.request_id": request_id}
        with self._span(method, attributes, context=above, kind=SpanKind.SERVER) as span:
            yield span

    @contextmanager
    def answer(self, question: str) -> Iterator[Span]:
        """The span of one question, from its turn in the line to its end."""
        text = {"ragapp.question": question} if self._with_text else {}
        with self._span("answer", text) as span:
            yield span

    def answered(self, span: Span, answer: Answer, waited_s: float) -> None:
        """What came of the question, and how its time was spent."""
        timings, usage = answer.timings, answer.usage
        span.set_attributes(
            {
                "ragapp.status": answer.status,
                "ragapp.waited_s": round(waited_s, 4),
                "ragapp.passages": len(answer.passages),
                "ragapp.citations": len(answer.citations),
                "gen_ai.request.model": answer.model,
                "gen_ai.usage.input_tokens": usage.prompt_tokens,
                "gen_ai.usage.output_tokens": usage.completion_tokens,
            }
        )
        if self._with_text:
            span.set_attributes(
                {"ragapp.answer": answer.text, "ragapp.passage_texts": [found.text for found in answer.passages]}
            )
        end = time.time_ns()
        began = end - _ns(timings.total_s)
        self._past("retrieve", began, began + _ns(timings.retrieve_s))
        if timings.first_token_s is not None:
            self._past("generate", began + _ns(timings.first_token_s), end)

    @contextmanager
    def _span(self, name: str, attributes: Mapping[str, str], **options: Any) -> Iterator[Span]:
        from opentelemetry.trace import StatusCode

        # an error's text may name a document or repeat a question, so only its kind is noted
        begun = self._tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False, **options
        )
        with begun as span:
            try:
                yield span
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(StatusCode.ERROR)
                raise

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()

    def _past(self, name: str, began: int, ended: int) -> None:
        self._tracer.start_span(name, start_time=began).end(ended)


def open_traces(endpoint: str | None, *, with_text: bool) -> Traces | None:
    """Traces that are sent to `endpoint` (OTLP over HTTP); None where there is none."""
    if not endpoint:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    # vLLM's exporter is told the same way
    os.environ.setdefault("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")
    return Traces(OTLPSpanExporter(endpoint=endpoint), with_text=with_text)


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
