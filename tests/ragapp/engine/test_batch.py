"""A batch asks the engine no more at once than it generates at once; no engine is started."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda

from ragapp.engine.chat import ChatVllm
from ragapp.engine.vllm import VllmEngine
from ragapp.settings import ChatSettings, EngineSettings


class _Counting(ChatVllm):
    """Answers without its engine, and knows how many asked at once."""

    lock: Any = threading.Lock()
    asking: int = 0
    most: int = 0

    def _count(self, change: int) -> ChatResult:
        with self.lock:
            self.asking += change
            self.most = max(self.most, self.asking)
        return ChatResult(generations=[ChatGeneration(message=AIMessage("Yes."))])

    def _generate(self, messages: list[BaseMessage], *given: Any, **more: Any) -> ChatResult:
        self._count(1)
        time.sleep(0.02)
        return self._count(-1)

    async def _agenerate(self, messages: list[BaseMessage], *given: Any, **more: Any) -> ChatResult:
        self._count(1)
        await asyncio.sleep(0.02)
        return self._count(-1)


@pytest.fixture
def chat(chat_folder: Path) -> _Counting:
    return _Counting(engine=VllmEngine(chat_folder, EngineSettings(max_parallel=3), ChatSettings()))


QUESTIONS: list[Any] = ["Is it?"] * 12


@pytest.mark.parametrize(("config", "most"), [(None, 3), ({"tags": ["x"]}, 3), ({"max_concurrency": 2}, 2)])
async def test_a_batch_keeps_to_the_engine_s_limit_or_to_its_own(chat: _Counting, config: Any, most: int) -> None:
    assert len(await chat.abatch(QUESTIONS, config)) == 12
    assert chat.most == most
    chat.most = 0
    assert len(await asyncio.to_thread(chat.batch, QUESTIONS, config)) == 12
    assert chat.most == most


async def test_so_does_a_batch_of_a_chain(chat: _Counting) -> None:
    chain = RunnableLambda(lambda question: question) | chat | RunnableLambda(lambda message: message.content)
    assert await chain.abatch(QUESTIONS) == ["Yes."] * 12
    assert chat.most == 3
