"""ChatVllm: the engine as a LangChain chat model, so that every LangChain recipe works with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig, RunnableMap, RunnablePassthrough
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import ConfigDict, Field

from ragapp.engine.messages import as_template_messages
from ragapp.engine.reply import Reply, Request
from ragapp.engine.sampling import Sampling
from ragapp.engine.toolcalls import Tool
from ragapp.engine.vllm import VllmEngine

Tools = Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool]


class ChatVllm(BaseChatModel):
    """A chat model over one VllmEngine, which starts with the first call.

    Every field below can also be given to a call or bound: `chat.bind(max_tokens=50, cache_salt="team-a")`. A prompt
    that doesn't fit into the context beside `max_tokens` raises QuestionTooLong; nothing is ever cut off it.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, populate_by_name=True)

    engine: VllmEngine = Field(exclude=True, repr=False)
    model_name: str = Field("", description="What answers call the model; the engine's setting when empty.")
    temperature: float | None = Field(None, description="The engine's chat.temperature when None.")
    top_p: float = 1.0
    max_tokens: int | None = Field(None, description="Longest answer; the engine's chat.max_answer_tokens when None.")
    stop: list[str] | None = Field(None, alias="stop_sequences")
    seed: int | None = None
    timeout: float | None = Field(None, description="Seconds; the engine's request_timeout_s when None.")
    cache_salt: str | None = Field(None, description="Only calls with the same salt share a prefix in the cache.")

    @property
    def _llm_type(self) -> str:
        return "vllm"

    @property
    def _name(self) -> str:
        return self.model_name or self.engine.chat.model

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self._name, "temperature": self._temperature, "max_tokens": self._longest}

    @property
    def _temperature(self) -> float:
        return self.engine.chat.temperature if self.temperature is None else self.temperature

    @property
    def _longest(self) -> int:
        return self.max_tokens or self.engine.chat.max_answer_tokens

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = LangSmithParams(
            ls_provider="vllm",
            ls_model_name=kwargs.get("model", self._name),
            ls_model_type="chat",
            ls_temperature=kwargs.get("temperature", self._temperature),
            ls_max_tokens=kwargs.get("max_tokens", self._longest),
        )
        if stop := stop or self.stop:
            params["ls_stop"] = stop
        return params

    def get_token_ids(self, text: str) -> list[int]:
        """The text's tokens in this model."""
        return self.engine.tokenizer.encode(text)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Tools | None = None) -> int:
        """Tokens of the whole prompt, with what the chat template puts around the messages."""
        return len(self._prompt(messages, [convert_to_openai_tool(tool) for tool in tools or ()]))

    def prepared(self, messages: list[BaseMessage], **kwargs: Any) -> tuple[int, Sampling]:
        """(tokens of the prompt, what the engine will be asked for) of a call that isn't made.

        Raises what the call would raise before it reaches the engine: TooCostly for a schema or tools beyond their
        limits, ValueError where they can't be used.
        """
        reply, prompt, _ = self._asked(messages, None, kwargs)
        return len(prompt), reply.sampling

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        reply, prompt, salt = self._asked(messages, stop, kwargs)
        for delta in self.engine.generate_stream(prompt, reply.sampling, cache_salt=salt):
            yield from reply.chunks(delta)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        # a long prompt or a large schema must not hold up everything else on this loop
        reply, prompt, salt = await asyncio.to_thread(self._asked, messages, stop, kwargs)
        deltas = self.engine.stream(prompt, reply.sampling, cache_salt=salt)
        try:
            async for delta in deltas:
                ends_json = delta.finished and reply.sampling.json_schema is not None
                for chunk in await asyncio.to_thread(list, reply.chunks(delta)) if ends_json else reply.chunks(delta):
                    yield chunk
        finally:
            # not left to garbage collection: a caller who leaves frees the request at once
            await deltas.aclose()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _whole(list(self._stream(messages, stop, **kwargs)))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _whole([chunk async for chunk in self._astream(messages, stop, **kwargs)])

    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """All inputs at once, as many as the engine takes, where the config sets no other limit."""
        limited = self._limited(config)
        return super().batch(inputs, limited, return_exceptions=return_exceptions, **kwargs)

    async def abatch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """`batch` for an event loop. An input's time limit counts from its own turn."""
        limited = self._limited(config)
        return await super().abatch(inputs, limited, return_exceptions=return_exceptions, **kwargs)

    def bind_tools(
        self,
        tools: Tools,
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with tools. `tool_choice`: "auto" (it decides), "any", "none", or a tool's name (it must call it).

        A call is always valid JSON that fits the tool's schema, since the engine can write nothing else. Where the
        token limit cuts one off, a call that had to be made is completed, and one that the model made of itself
        ("auto") is among `invalid_tool_calls` alone, so that nobody runs it with half its arguments.
        """
        told = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
        return self.bind(tools=told, tool_choice=_choice(tool_choice, told), **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        method: Literal["json_schema", "function_calling", "json_mode"] = "json_schema",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Answers as values of `schema`: a pydantic class, a TypedDict, or a JSON schema.

        All three methods constrain what the engine can write to the schema, so they differ in name only; an answer
        that the token limit cuts off is completed to a valid one, and its finish_reason is "length". Stop words are
        for text and don't end JSON.
        """
        wanted = convert_to_json_schema(schema)
        model = self.bind(
            response_schema=wanted,
            ls_structured_output_format={"kwargs": {"method": method, "strict": strict}, "schema": wanted},
            **kwargs,
        )
        is_model = isinstance(schema, type) and is_basemodel_subclass(schema)
        parser: Any = PydanticOutputParser(pydantic_object=schema) if is_model else JsonOutputParser()
        if not include_raw:
            structured: Runnable[LanguageModelInput, Any] = model | parser
            return structured
        parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
        failed = RunnablePassthrough.assign(parsed=lambda _: None)
        return RunnableMap(raw=model) | parsed.with_fallbacks([failed], exception_key="parsing_error")

    def _limited(self, config: RunnableConfig | list[RunnableConfig] | None) -> RunnableConfig | list[RunnableConfig]:
        """The config of a batch with a limit in it; of a list, which a chain gives, LangChain reads the first one's."""
        limit = self.engine.max_parallel
        return [_limited(one, limit) for one in config] if isinstance(config, list) else _limited(config or {}, limit)

    def _prompt(self, messages: Sequence[BaseMessage], tools: Sequence[Tool]) -> list[int]:
        tokenizer = self.engine.tokenizer
        told = as_template_messages(messages, tools, template_knows_tools=tokenizer.knows_tools)
        return tokenizer.chat(told, tools if tokenizer.knows_tools else None)

    def _asked(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> tuple[Reply, list[int], str | None]:
        """(how to read the reply, the prompt, the cache salt) of one call."""
        request = Request(
            model=self._name,
            max_tokens=kwargs.get("max_tokens") or self._longest,
            temperature=kwargs.get("temperature", self._temperature),
            top_p=kwargs.get("top_p", self.top_p),
            stop=tuple(stop or kwargs.get("stop") or self.stop or ()),
            seed=kwargs.get("seed", self.seed),
            timeout_s=kwargs.get("timeout", self.timeout),
            tools=tuple(kwargs.get("tools", ())),
            tool_choice=kwargs.get("tool_choice", "auto"),
            schema=kwargs.get("response_schema"),
            regex=kwargs.get("regex"),
            choice=kwargs.get("choice"),
        )
        return Reply(request), self._prompt(messages, request.offered), kwargs.get("cache_salt", self.cache_salt)


def _limited(config: RunnableConfig, limit: int) -> RunnableConfig:
    own = config.get("max_concurrency")
    return {**config, "max_concurrency": limit if own is None else own}


def _choice(wanted: str | dict[str, Any] | bool | None, tools: Sequence[Tool]) -> str:
    if isinstance(wanted, dict):
        wanted = wanted.get("function", wanted).get("name")
    choice = {None: "auto", True: "any", False: "none", "required": "any"}.get(wanted, wanted)  # type: ignore[arg-type]
    names = [tool["function"]["name"] for tool in tools]
    if choice not in ("auto", "any", "none", *names):
        raise ValueError(f"There is no tool named {choice}; the tools are {', '.join(names)}.")
    return str(choice)


def _whole(chunks: list[ChatGenerationChunk]) -> ChatResult:
    message: Any = None
    for chunk in chunks:
        message = chunk.message if message is None else message + chunk.message
    if not isinstance(message, AIMessageChunk):
        message = AIMessageChunk(content="")
    whole = AIMessage(
        content=message.content,
        tool_calls=message.tool_calls,
        invalid_tool_calls=message.invalid_tool_calls,
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
        additional_kwargs=message.additional_kwargs,
    )
    return ChatResult(generations=[ChatGeneration(message=whole)])
