"""LangChain's published unit suite over ChatVllm; no engine is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.unit_tests import ChatModelUnitTests

from ragapp.engine.chat import ChatVllm
from ragapp.engine.vllm import VllmEngine
from ragapp.settings import ChatSettings, EngineSettings


class TestChatVllmUnit(ChatModelUnitTests):
    _engine: VllmEngine

    @pytest.fixture(autouse=True, scope="class")
    def _resting(self, chat_folder: Path) -> None:
        type(self)._engine = VllmEngine(chat_folder, EngineSettings(), ChatSettings())

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatVllm

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"engine": self._engine}
