"""LangChain's published integration suite over ChatVllm with the packaged 135M model."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests

from ragapp.engine.chat import ChatVllm
from ragapp.engine.vllm import VllmEngine

pytestmark = pytest.mark.engine


class TestChatVllmIntegration(ChatModelIntegrationTests):
    _engine: VllmEngine

    @pytest.fixture(autouse=True, scope="class")
    def _running(self, engine: VllmEngine) -> None:
        type(self)._engine = engine

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatVllm

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"engine": self._engine, "max_tokens": 32}

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        return {"temperature": 0}

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supported_usage_metadata_details(self) -> dict[Literal["invoke", "stream"], list[Any]]:
        # the suite asks for details by prompts of its own provider; cache_read is tested in test_chat.py
        return {"invoke": [], "stream": []}

    @pytest.mark.xfail(reason="a 135M model does not decide by itself to call a tool (tool_choice is left open)")
    def test_agent_loop(self, model: BaseChatModel) -> None:
        super().test_agent_loop(model)
