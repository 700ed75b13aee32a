"""What bfloat16 gains on a CPU that multiplies it in hardware (AMX, Intel's since 2023), with the packaged models.

Without AMX there is nothing to show: bfloat16 is many times slower there, and `ragapp doctor` warns of it.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.engine import PASSAGE, ROUNDS, rate, through_chat
from benchmarks.ingest import EXAMPLES, embedded_texts, seconds_alone
from benchmarks.table import Row, print_rows
from ragapp import RagApp, Settings
from ragapp.models.processor import processor_flags
from ragapp.settings import ChatSettings, EmbedderSettings

PROMPTS = 6
REPEATS = 11
"""Of the passage in a prompt, some 1,500 tokens: what a first question brings along."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one number format came to, the best of some rounds."""

    chunks_per_s: float
    first_token_s: float
    tokens_per_s: float


def measure() -> list[Row]:
    if "amx_bf16" not in processor_flags():
        print("this processor has no AMX: nothing to compare", file=sys.stderr)
        return []
    full, half = _figures("float32"), _figures("bfloat16")
    return [
        Row(
            "chunks embedded/s as bfloat16, on a CPU with AMX",
            f"{half.chunks_per_s:.0f} chunks/s",
            f"float32: {full.chunks_per_s:.0f} chunks/s",
            half.chunks_per_s / full.chunks_per_s,
            "≥ 1.5",
        ),
        Row(
            "first token of a new prompt of 1,500 tokens, the same",
            f"{half.first_token_s:.2f} s",
            f"float32: {full.first_token_s:.2f} s",
            full.first_token_s / half.first_token_s,
            "≥ 1.5",
        ),
        Row(
            "tokens/s, 16 requests at once, the same",
            f"{half.tokens_per_s:.0f} tokens/s",
            f"float32: {full.tokens_per_s:.0f} tokens/s",
            half.tokens_per_s / full.tokens_per_s,
            "≥ 1.2",
        ),
    ]


def _figures(dtype: Literal["float32", "bfloat16"]) -> Figures:
    models = Path(tempfile.gettempdir()) / "ragapp-bench" / "models"
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), chat=ChatSettings(dtype=dtype), embedder=EmbedderSettings(dtype=dtype))
        with RagApp(settings, models_dir=models) as app:
            app.ingest(EXAMPLES)
            texts = embedded_texts(app)
            embedding = min(seconds_alone(app, texts) for _ in range(ROUNDS))
            first_token_s, tokens_per_s = asyncio.run(_answering(app))
    return Figures(len(texts) / embedding, first_token_s, tokens_per_s)


async def _answering(app: RagApp) -> tuple[float, float]:
    await through_chat(app, "warm up")
    firsts = []
    for number in range(PROMPTS):
        began = time.monotonic()
        await app.chat.ainvoke(f"{number}. {PASSAGE * REPEATS}\nWhen does the warehouse open?", max_tokens=1)
        firsts.append(time.monotonic() - began)
    rates = [await rate(lambda number, turn=turn: through_chat(app, f"{turn} {number}")) for turn in range(ROUNDS)]
    return statistics.median(firsts), max(rates)


if __name__ == "__main__":
    print_rows(measure)
