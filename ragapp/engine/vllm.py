"""vLLM in this process: started once by whoever asks first, streaming to any thread or event loop, gone at exit.

The engine has an event loop of its own on a background thread. A request is a task there; what it yields is handed to
the caller's loop or thread, and a caller who leaves, for whatever reason, cancels the task, which frees it in vLLM.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from ragapp.engine import launch
from ragapp.engine.grammars import Grammars
from ragapp.engine.life import CLOSED, Life, Started
from ragapp.engine.mailbox import AsyncMailbox, Mailbox
from ragapp.engine.sampling import Delta, Sampling, engine_input, sampling_params
from ragapp.engine.tokens import Tokenizer
from ragapp.errors import EngineError, QuestionTooLong
from ragapp.settings import ChatSettings, EngineSettings

__all__ = ["Delta", "EngineHealth", "Sampling", "VllmEngine"]


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """How the engine is. `detail` is one sentence where the state needs one."""

    state: Literal["stopped", "starting", "running", "died", "closed"]
    running: int
    """Requests being worked on."""
    detail: str = ""
    started_in_s: float | None = None


class VllmEngine:
    """One vLLM engine over one folder of weights. Cheap to make; `start()` or the first request starts it.

    Safe to use from any thread and any event loop. `log_file` takes what vLLM and its processes print; in `cache` vLLM
    keeps what makes its next start faster, else in the home folder.
    """

    def __init__(
        self,
        folder: Path,
        engine: EngineSettings,
        chat: ChatSettings,
        *,
        embedder_peak_bytes: int = 0,
        log_file: Path | None = None,
        traces: str = "",
        cache: Path | None = None,
    ) -> None:
        self.folder = folder
        self.chat = chat
        self._plan = launch.Plan(folder, engine, chat, embedder_peak_bytes, traces, cache)
        self.grammars = Grammars(folder, engine.schema_timeout_s)
        self._log_file = log_file
        self._lock = threading.Lock()
        self._life: Life | None = None
        self._closed = False
        self._numbers = itertools.count(1)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer and chat template; needs no engine."""
        return Tokenizer(self.folder)

    @property
    def max_parallel(self) -> int:
        """Requests that are generated at the same time; more wait."""
        return self._plan.engine.max_parallel

    @cached_property
    def context_tokens(self) -> int:
        """The longest prompt and answer together."""
        return launch.context_tokens(self.folder, self.chat)

    def count_tokens(self, text: str) -> int:
        """Tokens of the text in this model; needs no engine."""
        return len(self.tokenizer.encode(text))

    def start(self) -> None:
        """Start the engine and wait until it can answer; nothing to do where it runs already.

        Raises EngineError where it can't start, ModelError where it would not fit into memory.
        """
        self._living().started.result()

    async def stream(
        self, prompt: str | Sequence[int], sampling: Sampling, *, cache_salt: str | None = None
    ) -> AsyncGenerator[Delta, None]:
        """Generate from a prompt (text or token ids). Leaving the iterator early aborts the request in vLLM.

        Requests with different `cache_salt` never share a prefix in the cache. Raises QuestionTooLong before anything
        is sent where prompt and answer don't fit into the context, TooCostly where a constraint costs too much to
        compile, and EngineError where the engine can't go on.
        """
        tokens = self._fitting(prompt, sampling)
        if sampling.is_compiled:
            sampling = await asyncio.to_thread(self._passed, sampling)
        life = self._living()
        started = await asyncio.shield(asyncio.wrap_future(life.started))
        box: AsyncMailbox[Delta] = AsyncMailbox()
        work = life.submit(self._generate(life, started, tokens, sampling, cache_salt, box))
        try:
            async for delta in box:
                yield delta
        finally:
            work.cancel()

    def generate_stream(
        self, prompt: str | Sequence[int], sampling: Sampling, *, cache_salt: str | None = None
    ) -> Iterator[Delta]:
        """`stream` for a thread without an event loop."""
        tokens = self._fitting(prompt, sampling)
        sampling = self._passed(sampling)
        life = self._living()
        started = life.started.result()
        box: Mailbox[Delta] = Mailbox()
        work = life.submit(self._generate(life, started, tokens, sampling, cache_salt, box))
        try:
            yield from box
        finally:
            work.cancel()

    def running(self) -> int:
        """Requests that vLLM is working on or has waiting."""
        life = self._life
        if life is None or not life.is_running():
            return 0
        return int(life.started.result().llm.get_num_unfinished_requests())

    def health(self) -> EngineHealth:
        """How the engine is; never starts it and never waits."""
        life = self._life
        if self._closed:
            return EngineHealth("closed", 0)
        if life is None:
            return EngineHealth("stopped", 0, "It starts with the first question.")
        if not life.started.done():
            return EngineHealth("starting", 0)
        if error := life.fault():
            return EngineHealth("died", 0, str(error))
        return EngineHealth("running", self.running(), started_in_s=life.started.result().seconds)

    def close(self) -> None:
        """Abort all requests and end the engine and its processes. Closing twice is harmless."""
        with self._lock:
            self._closed = True
            life, self._life = self._life, None
        self.grammars.close()
        if life:
            life.end()

    def _living(self) -> Life:
        """The engine's present life, begun by the first who asks and anew after it died."""
        with self._lock:
            if self._closed:
                raise EngineError("The engine was closed; make a new one to ask again.")
            if self._life and self._life.started.done() and self._life.fault():
                self._life.end()
                self._life = None
            if self._life is None:
                self._life = Life(self._plan, self._log_file)
            return self._life

    def _fitting(self, prompt: str | Sequence[int], sampling: Sampling) -> list[int]:
        tokens = self.tokenizer.encode(prompt) if isinstance(prompt, str) else list(prompt)
        if len(tokens) + sampling.max_tokens > self.context_tokens:
            raise QuestionTooLong(
                f"The prompt has {len(tokens)} tokens, and the model's context of {self.context_tokens} leaves "
                f"{max(0, self.context_tokens - sampling.max_tokens)} beside an answer of {sampling.max_tokens}; ask "
                "something shorter, or raise chat.context_tokens if the model allows it."
            )
        return tokens

    def _passed(self, sampling: Sampling) -> Sampling:
        """The sampling with its constraint compiled beforehand, where a costly one holds nobody up."""
        try:
            return self.grammars.passed(sampling)
        except ValueError as error:
            raise EngineError(f"The engine refused the request ({error}).") from None

    def _trace_headers(self) -> dict[str, str] | None:
        """What ties vLLM's span to the asker's; the task has the asker's context."""
        if not self._plan.traces:
            return None
        from opentelemetry.propagate import inject

        headers: dict[str, str] = {}
        inject(headers)
        return headers

    async def _generate(
        self,
        life: Life,
        started: Started,
        tokens: list[int],
        sampling: Sampling,
        cache_salt: str | None,
        box: Mailbox[Delta] | AsyncMailbox[Delta],
    ) -> None:
        """On the engine's loop: one request from its first token to its last, told to the mailbox."""
        prompt = engine_input(tokens, cache_salt)
        limit = min(self._plan.engine.request_timeout_s, sampling.timeout_s or float("inf"))
        cached = 0
        count = 0
        request = asyncio.current_task()
        assert request is not None
        life.requests.add(request)
        request.add_done_callback(life.requests.discard)
        try:
            async with asyncio.timeout(limit):
                name = f"ragapp-{next(self._numbers)}"
                headers = self._trace_headers()
                steps = started.llm.generate(prompt, sampling_params(sampling), name, trace_headers=headers)
                async for step in steps:
                    output = step.outputs[0]
                    count += len(output.token_ids)
                    cached = step.num_cached_tokens or cached
                    box.put(Delta(output.text, step.finished, output.finish_reason, len(tokens), cached, count))
        except TimeoutError:
            box.fail(
                EngineError(
                    f"The answer was stopped after {limit:g} s; ask for less, or raise engine.request_timeout_s."
                )
            )
        except asyncio.CancelledError:
            box.fail(EngineError(CLOSED))
            raise
        except Exception as error:  # noqa: BLE001 - whatever vLLM raises is the asker's to hear, in one sentence
            box.fail(life.fault() or EngineError(f"The engine refused the request ({' '.join(str(error).split())})."))
        else:
            box.end()
