"""Tokens per second through ChatVllm against the bare AsyncLLM of the same process, sixteen requests at once."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.table import Row, print_rows
from ragapp import RagApp

AT_ONCE = 16
TOKENS = 64
ROUNDS = 3
PASSAGE = "The warehouse opens at seven and closes at six; goods that arrive later wait in the yard until morning. " * 6


def measure() -> list[Row]:
    with RagApp(data=Path(tempfile.gettempdir()) / "ragapp-bench") as app:
        app.engine.start()
        ours, bare = asyncio.run(_compare(app))
    return [
        Row(
            f"tokens/s, {AT_ONCE} requests at once",
            f"ChatVllm: {ours:.1f} tokens/s",
            f"bare AsyncLLM: {bare:.1f} tokens/s",
            ours / bare,
            "≥ 0.95",
        )
    ]


async def _compare(app: RagApp) -> tuple[float, float]:
    """Best of some rounds each, in turns: noise only ever slows. Every prompt is new, so no prefix is cached."""
    await rate(lambda number: through_chat(app, f"warm up {number}"))
    ours, bare = [], []
    for turn in range(ROUNDS):
        ours.append(await rate(lambda number, turn=turn: through_chat(app, f"ours {turn} {number}")))
        bare.append(await asyncio.to_thread(_rate_of_engine, app, turn))
    return max(ours), max(bare)


async def rate(ask: Callable[[int], Awaitable[int]]) -> float:
    began = time.monotonic()
    counts = await asyncio.gather(*(ask(number) for number in range(AT_ONCE)))
    return sum(counts) / (time.monotonic() - began)


def _prompt(salt: str) -> str:
    return f"{salt}. {PASSAGE}\nTell a long story about this warehouse."


async def through_chat(app: RagApp, salt: str) -> int:
    count = 0
    async for chunk in app.chat.astream(_prompt(salt), max_tokens=TOKENS):
        if chunk.usage_metadata:
            count = chunk.usage_metadata["output_tokens"]
    return count


def _rate_of_engine(app: RagApp, turn: int) -> float:
    """The same prompts straight to vLLM, on the loop that it lives on."""
    started = app.engine._living().started.result()

    async def all_at_once() -> float:
        return await rate(lambda number: _through_engine(app, started.llm, f"bare {turn} {number}"))

    return asyncio.run_coroutine_threadsafe(all_at_once(), started.loop).result()


async def _through_engine(app: RagApp, llm: Any, salt: str) -> int:
    from vllm.sampling_params import RequestOutputKind, SamplingParams

    prompt = {"prompt_token_ids": app.engine.tokenizer.chat([{"role": "user", "content": _prompt(salt)}])}
    sampling = SamplingParams(max_tokens=TOKENS, temperature=0.0, output_kind=RequestOutputKind.DELTA)
    count = 0
    async for step in llm.generate(prompt, sampling, f"bench-{salt}"):
        count += len(step.outputs[0].token_ids)
    return count


if __name__ == "__main__":
    print_rows(measure)
