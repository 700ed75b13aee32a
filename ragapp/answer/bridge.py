"""A door for callers without an event loop: one loop on a thread of its own, started at the first call."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Generic, TypeVar, cast

from ragapp.errors import EngineError

T = TypeVar("T")
_END = object()
_PATIENCE_S = 5.0
"""Seconds that work may take to end when the loop is closed."""


class LoopThread:
    """Runs coroutines and async iterators for plain threads. Closing ends what still waits; twice is harmless."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result. A caller who is interrupted cancels it."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("This would wait for itself: an async stage must await the async form (aask, ainvoke).")
        future = asyncio.run_coroutine_threadsafe(work, self._running())
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise EngineError("The app was closed before the answer was complete; open it and ask again.") from None
        except BaseException:
            future.cancel()
            raise

    def iterate(self, make: Callable[[], AsyncIterator[T]]) -> Iterator[T]:
        """The async iterator's values one by one; leaving early, or being interrupted while it waits, closes it."""
        steps = _Steps(make())
        try:
            while (value := self.run(steps.next())) is not _END:
                yield cast("T", value)
        finally:
            if self._thread:  # else closing the loop has closed it too
                self.run(steps.close())

    def close(self) -> None:
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop and thread:
            asyncio.run_coroutine_threadsafe(_end_all(), loop)
            thread.join(timeout=10)
            loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
                self._thread.start()
            return self._loop


async def _end_all() -> None:
    """Cancel what still runs, so that no thread waits for it for ever, then stop the loop."""
    loop = asyncio.get_running_loop()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    try:
        await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), _PATIENCE_S)
        await loop.shutdown_asyncgens()
    finally:
        loop.stop()


class _Steps(Generic[T]):
    """An async iterator taken step by step, whose reader may be interrupted in the middle of one."""

    def __init__(self, values: AsyncIterator[T]) -> None:
        self._values = values
        self._step: asyncio.Task[Any] | None = None

    async def next(self) -> T | object:
        self._step = asyncio.current_task()
        try:
            return await anext(self._values, _END)
        finally:
            self._step = None

    async def close(self) -> None:
        if step := self._step:
            # nothing can be closed in the middle of a step; this one is let unwind
            if not step.cancelling():
                step.cancel()
            await asyncio.wait({step})
        if close := getattr(self._values, "aclose", None):
            await close()
