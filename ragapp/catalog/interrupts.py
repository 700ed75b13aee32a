"""Ctrl-C waits while the catalog is at work.

An interrupt is raised between any two steps of Python, and SQLAlchemy is not made for that: it leaves transactions open
that keep the catalog's lock, or says that something else went wrong.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class _Waiting:
    """A signal's handler that only remembers the newest signal."""

    heard: tuple[int, FrameType | None] | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.heard = number, frame


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends; whoever handles it otherwise is told then.

    Keep the block short, and free of `yield`. In other threads than the main one nobody is interrupted, and nothing is
    done here.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or isinstance(before, _Waiting | int | None):
        yield
        return
    waiting = _Waiting()
    signal.signal(signal.SIGINT, waiting)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if waiting.heard:
            before(*waiting.heard)
