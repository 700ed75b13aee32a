"""One call of the chat model: what it asks of the engine, and the engine's deltas as LangChain's chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGenerationChunk

from ragapp.engine.constrained import ending, fit
from ragapp.engine.sampling import Delta, Sampling
from ragapp.engine.toolcalls import CallReader, Tool, call_schema, structural_tag
from ragapp.types import Usage


@dataclass(frozen=True, slots=True)
class Request:
    """What a call wants, with everything that was bound or set on the model filled in."""

    model: str
    max_tokens: int
    temperature: float
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    timeout_s: float | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    """"auto", "any", "none", or a tool's name."""
    schema: Mapping[str, Any] | None = None
    regex: str | None = None
    choice: tuple[str, ...] | None = None

    @property
    def offered(self) -> tuple[Tool, ...]:
        """The tools that the model may call."""
        if self.tool_choice in ("auto", "any"):
            return self.tools
        return tuple(tool for tool in self.tools if tool["function"]["name"] == self.tool_choice)

    @property
    def longest_string(self) -> int:
        """Characters after which a string that the schema leaves open must end: a token holds four or so of English,
        so that several strings find room in the answer."""
        return max(16, self.max_tokens)


class Reply:
    """Reads one answer. `sampling` is what to ask the engine for; feed its deltas to `chunks` in their order."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._schema: dict[str, Any] | None = None
        self._calls: CallReader | None = None
        self._written = ""
        tag = None
        if request.offered and request.tool_choice != "auto":
            self._schema = call_schema(request.offered, request.longest_string)
            self._calls = CallReader("only")
        elif request.offered:
            self._calls = CallReader("tagged")
            tag = structural_tag(request.offered, request.longest_string)
        elif request.schema is not None:
            self._schema = fit(request.schema, request.longest_string)
        self.sampling = Sampling(
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            # JSON ends by itself, and a stop word inside one of its values would cut that short unseen
            stop=() if self._schema is not None else request.stop,
            seed=request.seed,
            timeout_s=request.timeout_s,
            json_schema=self._schema,
            structural_tag=tag,
            regex=request.regex,
            choice=request.choice,
        )

    def chunks(self, delta: Delta) -> Iterator[ChatGenerationChunk]:
        """The delta as chunks; the last one carries usage, model_name and finish_reason."""
        text = delta.text
        if self._schema is not None:
            self._written += text
            if delta.finished:
                text += ending(self._written, self._schema)
        calls: list[Any] = []
        if self._calls:
            text, calls = self._calls.feed(text, last=delta.finished)
        if text or calls:
            yield ChatGenerationChunk(message=AIMessageChunk(content=text, tool_call_chunks=calls))
        if delta.finished:
            yield ChatGenerationChunk(message=self._closing(delta), generation_info=None)

    def _closing(self, delta: Delta) -> AIMessageChunk:
        usage = UsageMetadata(
            input_tokens=delta.prompt_tokens,
            output_tokens=delta.completion_tokens,
            total_tokens=delta.prompt_tokens + delta.completion_tokens,
            input_token_details=InputTokenDetails(cache_read=delta.cached_tokens),
        )
        reason = delta.finish_reason or "stop"
        if self._calls and self._calls.found and reason == "stop":
            reason = "tool_calls"
        return AIMessageChunk(
            content="",
            usage_metadata=usage,
            response_metadata={"model_name": self._request.model, "finish_reason": reason, "model_provider": "vllm"},
            chunk_position="last",
        )


def usage_of(message: BaseMessage) -> Usage | None:
    """The tokens that a message of any chat model says it took; None where it doesn't say."""
    counted = getattr(message, "usage_metadata", None)
    if not counted:
        return None
    cached = counted.get("input_token_details", {}).get("cache_read", 0)
    return Usage(counted["input_tokens"], cached, counted["output_tokens"])
