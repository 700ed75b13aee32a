"""Passwords, and how often somebody may get one wrong."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from ragapp.serve.problems import Refused

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST_PASSWORD = 12
"""Characters: NIST SP 800-63B asks for at least 8, and 15 where a password is all there is."""
_WINDOW_S = 600.0
_MOST_KEPT = 10_000


class Tries:
    """Failed sign-ins of the last ten minutes, by name and by address."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._failed: dict[str, deque[float]] = {}

    def check(self, *keys: str) -> None:
        """Raises Refused where one of these has failed too often."""
        now = self._clock()
        for key in keys:
            times = self._failed.get(key, deque())
            while times and now - times[0] > _WINDOW_S:
                times.popleft()
            if len(times) >= self._most:
                wait = max(1, round(_WINDOW_S - (now - times[0])))
                raise Refused(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    f"Too many failed tries; wait {-(-wait // 60)} minutes, or ask an admin for a new password.",
                    {"Retry-After": str(wait)},
                )

    def failed(self, *keys: str) -> None:
        if len(self._failed) > _MOST_KEPT:
            self._failed = {key: times for key, times in self._failed.items() if self._clock() - times[-1] <= _WINDOW_S}
        for key in keys:
            self._failed.setdefault(key, deque()).append(self._clock())

    def passed(self, *keys: str) -> None:
        for key in keys:
            self._failed.pop(key, None)


@cache
def hasher() -> PasswordHasher:
    """argon2id with the parameters of RFC 9106's second choice."""
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobodys() -> str:
    return hasher().hash("the password of nobody")


def hashed(password: str) -> str:
    """The hash to keep. Raises Refused for a password that is too short to be one."""
    if len(password) < SHORTEST_PASSWORD:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"A password needs at least {SHORTEST_PASSWORD} characters; take a sentence.",
        )
    return hasher().hash(password)


def matches(kept: str, password: str) -> bool:
    """Whether the password is the one that was kept; takes as long where there is none, so that nobody learns which
    names have accounts."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return hasher().verify(kept or _nobodys(), password) and bool(kept)
    except (VerificationError, InvalidHashError):
        return False
