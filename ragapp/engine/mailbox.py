"""How the engine's loop hands values to a caller who waits elsewhere: in a thread, or on another event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class _End:
    """What closes a mailbox: nothing more comes, or an error does."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class Mailbox(Generic[T]):
    """For a waiting thread. Iterating ends with `end()` and raises what `fail()` was given."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[T | _End] = SimpleQueue()

    def put(self, value: T) -> None:
        self._queue.put(value)

    def fail(self, error: BaseException) -> None:
        self._queue.put(_End(error))

    def end(self) -> None:
        self._queue.put(_End())

    def __iter__(self) -> Iterator[T]:
        while not isinstance(value := self._queue.get(), _End):
            yield value
        if value.error:
            raise value.error


class AsyncMailbox(Generic[T]):
    """For a coroutine on the loop that runs when the mailbox is made; one wake-up serves all that came till then."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._values: deque[T | _End] = deque()
        self._arrived = asyncio.Event()

    def put(self, value: T) -> None:
        self._add(value)

    def fail(self, error: BaseException) -> None:
        self._add(_End(error))

    def end(self) -> None:
        self._add(_End())

    async def __aiter__(self) -> AsyncIterator[T]:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._values:
                value = self._values.popleft()
                if not isinstance(value, _End):
                    yield value
                elif value.error:
                    raise value.error
                else:
                    return

    def _add(self, value: T | _End) -> None:
        waiting = not self._values
        self._values.append(value)
        if waiting and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)
