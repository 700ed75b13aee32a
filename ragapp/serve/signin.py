"""Passwords as they are kept and compared, and how often somebody may get one wrong."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from ragapp.serve.passwords import SHORTEST_PASSWORD, fit, normal
from ragapp.serve.problems import Refused

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_WINDOW_S = 600.0
_MOST_KEPT = 10_000


class Tries:
    """Failed sign-ins of the last ten minutes, by name and by address. Safe to share between threads."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._sweep_at = _MOST_KEPT
        self._lock = threading.Lock()
        self._failed: dict[str, deque[float]] = {}

    def begin(self, *keys: str) -> None:
        """Count a try as failed until it is known better. Raises Refused where one of these failed too often."""
        with self._lock:
            now = self._clock()
            for key in keys:
                times = self._recent(key, now)
                if len(times) >= self._most:
                    wait = max(1, round(_WINDOW_S - (now - times[0])))
                    raise Refused(
                        HTTPStatus.TOO_MANY_REQUESTS,
                        f"Too many failed tries; wait {-(-wait // 60)} minutes, or ask an admin for a new password.",
                        {"Retry-After": str(wait)},
                    )
            if len(self._failed) > self._sweep_at:
                self._failed = {key: times for key in list(self._failed) if (times := self._recent(key, now))}
                # so that a flood of names doesn't make every try a sweep
                self._sweep_at = max(_MOST_KEPT, 2 * len(self._failed))
            for key in keys:
                self._failed.setdefault(key, deque()).append(now)

    def take_back(self, *keys: str) -> None:
        """The newest try of these was none after all."""
        with self._lock:
            for key in keys:
                if times := self._failed.get(key):
                    times.pop()

    def passed(self, *keys: str) -> None:
        """Forget what failed before."""
        with self._lock:
            for key in keys:
                self._failed.pop(key, None)

    def _recent(self, key: str, now: float) -> deque[float]:
        times = self._failed.get(key, deque())
        while times and now - times[0] > _WINDOW_S:
            times.popleft()
        return times


@cache
def hasher() -> PasswordHasher:
    """argon2id with the parameters of RFC 9106's second choice."""
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobodys() -> str:
    return hasher().hash("the password of nobody")


_AT_ONCE = threading.BoundedSemaphore(2)
"""argon2 takes 64 MiB and a core each time: a flood of passwords must not take the service's memory."""
_WAITING = threading.BoundedSemaphore(8)
"""Those who are compared and those who wait for it: each holds one of the service's 40 threads, which others need."""


@contextmanager
def _turn() -> Iterator[None]:
    """Raises Refused where too many wait already."""
    if not _WAITING.acquire(blocking=False):
        raise Refused(
            HTTPStatus.TOO_MANY_REQUESTS,
            "Too many people sign in at this moment; try again in a few seconds.",
            {"Retry-After": "3"},
        )
    try:
        with _AT_ONCE:
            yield
    finally:
        _WAITING.release()


def hashed(password: str, words: Iterable[str] = ()) -> str:
    """The hash to keep. Raises Refused for a password that is too short or too easy to guess; `words` are the person's
    own (passwords.fit)."""
    kept = fit(password, words)
    with _turn():
        return hasher().hash(kept)


def matches(kept: str, password: str) -> bool:
    """Whether the password is the one that was kept; takes as long where there is none, so that nobody learns which
    names have accounts. Raises Refused where too many are compared already."""
    # what was kept before passwords had one form was kept as it was typed
    forms = dict.fromkeys((normal(password), password))
    return any(_verified(kept or _nobodys(), form) for form in forms) and bool(kept)


def _verified(kept: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        with _turn():
            return hasher().verify(kept, password)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


__all__ = ["SHORTEST_PASSWORD", "Tries", "hashed", "matches"]
