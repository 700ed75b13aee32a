"""A request comes before the engine's end, and hears of it, or after it, and is refused; none waits for ever."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ragapp.engine import launch, life
from ragapp.engine.vllm import Sampling, VllmEngine
from ragapp.errors import EngineError
from ragapp.settings import ChatSettings, EngineSettings


class _Endless:
    """As much of AsyncLLM as an engine needs that answers nobody and takes its time to go."""

    errored = False

    async def generate(self, *given: object, **more: object) -> AsyncIterator[object]:
        await asyncio.sleep(60)
        yield None

    def shutdown(self, timeout: float) -> None:
        time.sleep(0.3)


@pytest.fixture
def engine(chat_folder: Path, monkeypatch: pytest.MonkeyPatch) -> VllmEngine:
    monkeypatch.setattr(launch, "launch", lambda *given: _Endless())
    endless = VllmEngine(chat_folder, EngineSettings(), ChatSettings())
    endless.start()
    return endless


def test_whoever_had_the_engine_in_hand_when_it_closed_is_refused(engine: VllmEngine) -> None:
    life = engine._living()
    engine.close()

    async def request() -> None:
        raise AssertionError("it ran after the end")

    with pytest.raises(EngineError, match="was closed"):
        life.submit(request())


def test_whoever_asks_at_any_moment_of_the_end_hears_of_it(engine: VllmEngine) -> None:
    told = []

    def ask(after: float) -> None:
        time.sleep(after)
        with pytest.raises(EngineError, match="was closed"):
            list(engine.generate_stream([1, 2], Sampling(max_tokens=4)))
        told.append(after)

    askers = [threading.Thread(target=ask, args=(number / 50,), daemon=True) for number in range(30)]
    for asker in askers:
        asker.start()
    time.sleep(0.1)
    engine.close()
    for asker in askers:
        asker.join(10)
    assert len(told) == len(askers)


def test_an_end_that_takes_longer_than_it_is_waited_for_may_be_asked_for_again(
    engine: VllmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "_CLOSE_S", 0.05)
    slow = engine._living()
    engine.close()
    assert slow._thread.is_alive()
    slow._thread.join(10)
    slow._end_at_exit()
    assert not slow._folder.path.exists()


def test_a_log_that_has_grown_is_put_aside_when_an_engine_starts_and_one_old_one_is_kept(
    chat_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "launch", lambda *given: _Endless())
    log, aside = tmp_path / "engine.log", tmp_path / "engine.log.1"

    def started_with(said: bytes, size: int) -> None:
        log.write_bytes(said)
        os.truncate(log, size)
        engine = VllmEngine(chat_folder, EngineSettings(), ChatSettings(), log_file=log)
        engine.start()
        engine.close()

    started_with(b"small", life._LOG_BYTES - 1)
    assert log.read_bytes().startswith(b"small") and not aside.exists()
    for said in (b"first", b"second"):
        started_with(said, life._LOG_BYTES)
        assert log.stat().st_size == 0 and aside.read_bytes().startswith(said)
    assert sorted(tmp_path.iterdir()) == [log, aside]
