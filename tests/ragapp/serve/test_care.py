"""The engine's life inside the service: what holds up the loading holds up nothing else, and no error ends the care."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from ragapp import RagApp, Settings
from ragapp.answer.chain import Stages
from ragapp.embed.dense import DenseEmbedder
from ragapp.errors import ModelError
from ragapp.logs import log_path
from ragapp.serve.care import EngineCare

from .conftest import run_until, running, wait_until


def test_files_are_taken_while_the_models_are_loaded(tmp_path: Path) -> None:
    begun, free = threading.Event(), threading.Event()

    class Loading(RagApp):
        def _build_embedder(self) -> DenseEmbedder:
            begun.set()
            assert free.wait(120)
            raise ModelError("no model here")

    with Loading(Settings(data=tmp_path, serve={"single_user": True})) as rag, running(rag) as service:
        try:
            assert begun.wait(60)
            with service.client() as client:
                client.timeout = 60
                assert client.get("/health/ready").json()["status"] == "loading"
                sent = client.post("/v1/documents", files={"files": ("a.md", b"# A")})
                assert sent.status_code == 202, sent.text
                assert client.get("/v1/documents").json()["total"] == 0
                assert client.get("/metrics").status_code == 200
                assert not free.is_set() and service.house.engine.readiness.state == "loading"
        finally:
            free.set()
        wait_until(lambda: service.house.engine.readiness.state == "failed")


async def test_after_an_error_that_nobody_foresaw_the_models_are_loaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ragapp.serve.care._FIRST_WAIT_S", 0)
    loop, again = asyncio.get_running_loop(), asyncio.Event()
    tries: list[str] = []

    class Broken(RagApp):
        def _build_stages(self) -> Stages:
            tries.append(care.readiness.detail)
            if len(tries) == 1:
                raise ZeroDivisionError("the cog is loose")
            loop.call_soon_threadsafe(again.set)
            raise ModelError("no model here")

    with Broken(Settings(data=tmp_path)) as rag:
        care = EngineCare(rag, most_restarts=1)
        await run_until(again, care.run())
        assert tries[1] == "The models could not be loaded (ZeroDivisionError); logs/ragapp.log says why."
        said = log_path(rag.settings).read_text(encoding="utf-8")
        assert "Traceback" in said and "the cog is loose" in said


async def test_an_engine_that_can_not_be_looked_at_is_started_again(tmp_path: Path) -> None:
    again = asyncio.Event()

    class Engine:
        """Starts, and does not say how it is."""

        starts = 0

        def start(self) -> None:
            self.starts += 1
            if self.starts == 2:
                loop.call_soon_threadsafe(again.set)

        def health(self) -> None:
            raise ZeroDivisionError("the cog is loose")

        def close(self) -> None:
            """Nothing is open."""

    loop = asyncio.get_running_loop()
    with RagApp(Settings(data=tmp_path)) as rag:
        rag._parts |= {"engine": Engine(), "stages": object()}
        await run_until(again, EngineCare(rag, most_restarts=1).run())
        assert "the cog is loose" in log_path(rag.settings).read_text(encoding="utf-8")
