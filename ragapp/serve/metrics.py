"""What the service counts, in Prometheus' form. vLLM's own figures stand in the same registry of this process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ragapp.types import Answer

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """The service's counters; one set for each app, so that tests don't share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.requests = Counter("ragapp_http_requests", "Requests.", ["method", "route", "status"], registry=own)
        self.request_seconds = Histogram(
            "ragapp_http_request_seconds",
            "Seconds to a whole response.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=own,
        )
        self.waiting = Gauge("ragapp_queue_waiting", "Questions that wait.", registry=own)
        self.running = Gauge("ragapp_queue_running", "Questions that are being answered.", registry=own)
        self.waited = Histogram(
            "ragapp_queue_wait_seconds", "Seconds a question waited.", buckets=_SECONDS, registry=own
        )
        self.answers = Counter("ragapp_answers", "Answers by what became of them.", ["state"], registry=own)
        self.retrieve = Histogram(
            "ragapp_retrieve_seconds", "Seconds to find passages.", buckets=_SECONDS, registry=own
        )
        self.first_token = Histogram(
            "ragapp_first_token_seconds", "Seconds to the first token.", buckets=_SECONDS, registry=own
        )
        self.whole = Histogram("ragapp_answer_seconds", "Seconds to the whole answer.", buckets=_SECONDS, registry=own)
        self.tokens = Counter("ragapp_tokens", "Tokens.", ["kind"], registry=own)
        self.documents = Gauge("ragapp_documents", "Live documents.", registry=own)
        self.chunks = Gauge("ragapp_chunks", "Chunks of live documents.", registry=own)
        self.jobs = Counter("ragapp_jobs", "Jobs by what became of them.", ["state"], registry=own)
        self.connections = Gauge("ragapp_connections", "Connections by what they do.", ["phase"], registry=own)
        self.connections_ended = Counter(
            "ragapp_connections_ended", "Connections that the service ended, by why.", ["why"], registry=own
        )
        self.files = Counter("ragapp_ingested_files", "Files by what became of them.", ["outcome"], registry=own)

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests.labels(method, route, str(status)).inc()
        self.request_seconds.labels(method, route).observe(seconds)

    def answered(self, state: str, answer: Answer | None, waited_s: float) -> None:
        """What one question came to."""
        self.answers.labels(state).inc()
        self.waited.observe(waited_s)
        if answer is None:
            return
        self.retrieve.observe(answer.timings.retrieve_s)
        if answer.timings.first_token_s is not None:
            self.first_token.observe(answer.timings.first_token_s)
        self.whole.observe(answer.timings.total_s)
        for kind in ("prompt_tokens", "cached_tokens", "completion_tokens"):
            self.tokens.labels(kind.removesuffix("_tokens")).inc(getattr(answer.usage, kind))
