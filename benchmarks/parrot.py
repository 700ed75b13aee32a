"""An engine's stand-in, to measure what stands around it: after a moment it says the words of its prompt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from ragapp import RagApp
from ragapp.answer.chain import Asked, Piece
from ragapp.answer.prompt import Prompt
from ragapp.serve.care import EngineCare
from ragapp.types import Usage

THINKS_S = 0.2


async def parrot(prompt: Prompt, asked: Asked) -> AsyncIterator[Piece]:
    """Says whatever stands before it, each word once."""
    await asyncio.sleep(THINKS_S)
    said = " ".join(str(message.content) for message in prompt.messages)
    yield Piece(" ".join(dict.fromkeys(said.split())) + "\n", Usage(1, 0, 1))


def let_speak(rag: RagApp) -> None:
    """Let the parrot word this app's answers, and every service of this process be ready without an engine."""
    rag._parts["stages"] = replace(rag.stages, generate=parrot, check=lambda cited: True)
    EngineCare._load = lambda care: None  # type: ignore[method-assign]
    EngineCare._watch = _watch  # type: ignore[method-assign]


async def _watch(care: EngineCare) -> None:
    await asyncio.Event().wait()
