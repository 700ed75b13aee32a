"""The engine's life: one start for all who ask, requests that end when their asker leaves, no process left."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from ragapp.engine.vllm import Sampling, VllmEngine
from ragapp.errors import EngineError, ModelError
from ragapp.settings import ChatSettings, EngineSettings

ENDLESS = Sampling(max_tokens=4000, stop=("never said",))


def _until(what: str, happened: object, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < end, f"waited {seconds} s in vain until {what}"
        time.sleep(0.05)


def _busy_share(engine: VllmEngine) -> float:
    """Share of one core that the engine's process uses during half a second."""
    process = psutil.Process(engine._life._tether.pids[0])  # type: ignore[union-attr]
    before = sum(process.cpu_times()[:2])
    time.sleep(0.5)
    return (sum(process.cpu_times()[:2]) - before) / 0.5


@pytest.mark.engine
class TestRequests:
    def test_text_streams_in_pieces_with_growing_counts(self, engine: VllmEngine) -> None:
        deltas = list(engine.generate_stream("Once upon a time", Sampling(max_tokens=12)))
        assert deltas[-1].finished and deltas[-1].completion_tokens == 12 and deltas[-1].finish_reason == "length"
        counts = [delta.completion_tokens for delta in deltas]
        assert counts == sorted(counts) and len(deltas) > 3
        assert "".join(delta.text for delta in deltas).strip()

    def test_temperature_0_repeats_and_a_seed_repeats_what_is_drawn(self, engine: VllmEngine) -> None:
        def text(**changed: object) -> str:
            sampling = Sampling(max_tokens=16, **changed)  # type: ignore[arg-type]
            return "".join(delta.text for delta in engine.generate_stream("The weather", sampling))

        assert text() == text()
        assert text(temperature=1.5, seed=7) == text(temperature=1.5, seed=7)

    def test_a_stop_word_ends_the_text_and_is_not_part_of_it(self, engine: VllmEngine) -> None:
        sampling = Sampling(max_tokens=40, stop=("five",))
        deltas = list(engine.generate_stream("one, two, three, four, five, one, two, three, four,", sampling))
        assert deltas[-1].finish_reason == "stop"
        assert "five" not in "".join(delta.text for delta in deltas)

    def test_a_thread_that_leaves_frees_its_request(self, engine: VllmEngine) -> None:
        stream = engine.generate_stream("Once upon a time", ENDLESS)
        next(stream)
        assert engine.running() == 1
        stream.close()
        _until("the request is gone", lambda: engine.running() == 0)
        assert _busy_share(engine) < 0.5

    def test_loops_of_several_threads_ask_at_once(self, engine: VllmEngine) -> None:
        counts: list[int] = []

        async def ask() -> None:
            async for delta in engine.stream("Once upon a time", Sampling(max_tokens=8)):
                last = delta.completion_tokens
            counts.append(last)

        threads = [threading.Thread(target=lambda: asyncio.run(ask())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counts == [8] * 4

    async def test_a_cancelled_task_frees_its_request(self, engine: VllmEngine) -> None:
        async def ask() -> None:
            async for _ in engine.stream("Once upon a time", ENDLESS):
                pass

        task = asyncio.create_task(ask())
        await asyncio.to_thread(_until, "the request runs", lambda: engine.running() == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(_until, "the request is gone", lambda: engine.running() == 0)

    def test_a_time_limit_stops_the_answer_and_frees_it(self, engine: VllmEngine) -> None:
        with pytest.raises(EngineError, match="stopped after 1 s"):
            list(engine.generate_stream("Once upon a time", Sampling(max_tokens=4000, timeout_s=1)))
        _until("the request is gone", lambda: engine.running() == 0)

    def test_ctrl_c_in_the_middle_of_an_answer_frees_it_and_leaves_the_engine(self, engine: VllmEngine) -> None:
        threading.Timer(0.6, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            for _ in engine.generate_stream("Once upon a time", ENDLESS):
                pass
        _until("the request is gone", lambda: engine.running() == 0)
        assert engine.health().state == "running"

    def test_vllm_s_own_messages_are_in_the_log_and_not_on_the_terminal(
        self, engine: VllmEngine, engine_log: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        list(engine.generate_stream("Hello", Sampling(max_tokens=2)))
        assert "Initializing a V1 LLM engine" in engine_log.read_text()
        assert capfd.readouterr() == ("", "")


class TestStarting:
    def test_a_folder_without_weights_fails_in_one_sentence_and_leaves_no_process(
        self, chat_folder: Path, tmp_path: Path
    ) -> None:
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"):
            (tmp_path / name).write_bytes((chat_folder / name).read_bytes())
        (tmp_path / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      broken")
        engine = VllmEngine(tmp_path, EngineSettings(), ChatSettings())
        with pytest.raises(EngineError, match="could not start") as caught:
            engine.start()
        assert "\n" not in str(caught.value) and "Error" in str(caught.value)
        assert engine.health().state == "died"
        pids = engine._life._tether.pids  # type: ignore[union-attr]
        _until("its processes are gone, zombies too", lambda: not any(map(psutil.pid_exists, pids)))
        _until("its temporary folder too", lambda: not engine._life._folder.path.exists())  # type: ignore[union-attr]
        engine.close()

    def test_too_little_memory_is_said_with_both_figures(self, chat_folder: Path) -> None:
        engine = VllmEngine(chat_folder, EngineSettings(kv_cache_gib=5000), ChatSettings())
        with pytest.raises(ModelError, match=r"needs 500\d\.\d GiB of memory with its cache, and \d+\.\d GiB are free"):
            engine.start()

    def test_a_start_that_takes_too_long_is_given_up(self, chat_folder: Path) -> None:
        engine = VllmEngine(chat_folder, EngineSettings(start_timeout_s=0.5), ChatSettings())
        with pytest.raises(EngineError, match=r"did not start within 0\.5 s"):
            engine.start()
        life = engine._life
        engine.close()
        _until("nothing of it is left", lambda: not any(map(psutil.pid_exists, life._tether.pids)))  # type: ignore[union-attr]

    def test_closing_in_the_middle_of_a_start_tells_who_waits_and_leaves_nothing_of_it(self, chat_folder: Path) -> None:
        engine = VllmEngine(chat_folder, EngineSettings(), ChatSettings())
        told: list[EngineError] = []

        def start() -> None:
            try:
                engine.start()
            except EngineError as error:
                told.append(error)

        starter = threading.Thread(target=start)
        starter.start()
        _until("it starts", lambda: bool(engine._life and engine._life._tether.pids))
        life = engine._life
        engine.close()
        starter.join()
        assert len(told) == 1
        _until("nothing of it is left", lambda: not any(map(psutil.pid_exists, life._tether.pids)))  # type: ignore[union-attr]

    def test_a_closed_engine_says_so(self, chat_folder: Path) -> None:
        engine = VllmEngine(chat_folder, EngineSettings(), ChatSettings())
        engine.close()
        engine.close()
        assert engine.health().state == "closed"
        with pytest.raises(EngineError, match="was closed"):
            engine.start()


@pytest.mark.engine
def test_an_engine_that_died_says_so_and_starts_again(chat_folder: Path) -> None:
    engine = VllmEngine(chat_folder, EngineSettings(), ChatSettings())
    starters = [threading.Thread(target=engine.start) for _ in range(4)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    first = engine._life
    pids = first._tether.pids  # type: ignore[union-attr]
    assert len(pids) == 1, "four who ask start one engine"
    stream = engine.generate_stream("Once upon a time", ENDLESS)
    next(stream)
    os.kill(pids[0], signal.SIGKILL)
    with pytest.raises(EngineError, match=r"The engine died.*it starts anew"):
        list(stream)
    assert engine.health().state == "died"
    assert list(engine.generate_stream("Once upon a time", Sampling(max_tokens=3)))[-1].completion_tokens == 3
    second = engine._life
    again = second._tether.pids  # type: ignore[union-attr]
    engine.close()
    assert not any(psutil.pid_exists(pid) for pid in (*pids, *again))
    assert not any(life._folder.path.exists() for life in (first, second))  # type: ignore[union-attr]
