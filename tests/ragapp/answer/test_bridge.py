"""The door between threads and the loop: nobody waits for ever, and whoever leaves closes what they read."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from ragapp.answer.bridge import LoopThread
from ragapp.errors import EngineError


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    loop = LoopThread("test")
    yield loop
    loop.close()


def test_closing_tells_the_threads_that_still_wait(loop: LoopThread) -> None:
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            loop.run(asyncio.sleep(60))
        except EngineError as error:
            raised.append(error)

    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    time.sleep(0.2)
    loop.close()
    waiter.join(timeout=5)
    assert not waiter.is_alive()
    assert "closed" in str(raised[0])


def test_waiting_for_oneself_is_refused(loop: LoopThread) -> None:
    async def nested() -> None:
        loop.run(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="aask"):
        loop.run(nested())


def test_leaving_early_closes_the_source(loop: LoopThread) -> None:
    closed = threading.Event()

    async def numbers() -> AsyncIterator[int]:
        try:
            for number in range(9):
                yield number
        finally:
            closed.set()

    reading = loop.iterate(numbers)
    assert next(reading) == 0
    reading.close()  # type: ignore[attr-defined]
    assert closed.is_set()


def test_an_interrupted_wait_is_unwound_before_its_source_is_closed(loop: LoopThread) -> None:
    came: list[str] = []
    waiting = threading.Event()

    async def slow() -> AsyncIterator[int]:
        try:
            waiting.set()
            await asyncio.sleep(60)
            yield 1
        except asyncio.CancelledError:
            await asyncio.sleep(0.2)  # as a request takes to be freed
            came.append("unwound")
            raise
        finally:
            came.append("closed")

    def interrupt() -> None:
        waiting.wait()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        next(iter(loop.iterate(slow)))
    assert came == ["unwound", "closed"]


def test_what_is_left_open_when_the_loop_closes_starts_no_new_one(loop: LoopThread) -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(9):
            yield number

    reading = loop.iterate(numbers)
    assert next(reading) == 0
    loop.close()
    reading.close()  # type: ignore[attr-defined]
    assert "test" not in {thread.name for thread in threading.enumerate()}
