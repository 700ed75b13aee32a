"""All connections of the service: how many there may be, from where, and how long each may take over what it does.

A connection is known once a request on it came from somebody who is signed in. Where there is no room for one more,
those go that nobody knows and that wait for their own other end: silent ones, then half-sent ones, then, of all, idle
ones; first from the address that has the most. What is being answered is never ended for another.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal, Protocol

from starlette.types import Scope

_log = logging.getLogger(__name__)
HELD = "ragapp_connection"
"""Where a request's scope has its connection, below `state`."""
_THIS_MACHINE = ("127.0.0.1", "::1")
"""The page's process, the command line and a proxy beside us: many people each, so that no limit by address fits."""
_AT_ONCE = 20
"""The part of all connections that goes at once where there is no room: looking for them takes a look at each."""
_LEAVING = 256
"""Connections that are told why they end; what comes beyond that is ended without a word."""
_TELL_EVERY_S = 60.0
Phase = Literal["silent", "head", "body", "answer", "idle", "page", "leaving"]
"""Nothing came yet; part of a request's head did; part of its body; it is being answered; it was, and the next may
come; the page's WebSocket; the last word was said."""
Why = Literal["too many", "too slow", "too large", "no sense", "made room"]
"""Why we ended one: none was free; it took too long; head too large; not HTTP; another needed its place."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of everything. The times are in seconds."""

    most: int
    """Connections in all."""
    each: int
    """Connections of one address, and requests at once of one visitor behind a proxy."""
    head_s: float = 15.0
    """To a request's whole head, from the connection's beginning or the head's first byte."""
    body_s: float = 20.0
    body_least: int = 10_000
    """Bytes of a body that must come in each `body_s`: a slow line is no fault, a stalled one is."""
    write_s: float = 30.0
    write_least: int = 10_000
    """Bytes that a reader must take in each `write_s` while more waits for it."""
    idle_s: float = 75.0
    """Between two requests; longer than a proxy keeps a connection that it doesn't use just now."""
    leaving_s: float = 5.0
    """For reading the last word; what comes meanwhile is thrown away."""
    head_bytes: int = 64 << 10
    line_bytes: int = 32 << 10
    """Of a request's head the first line."""
    headers: int = 100
    every_s: float = 1.0
    """Between two looks at all of them."""


class Speaker(Protocol):
    """A connection as its keeper speaks to it."""

    def unsent(self) -> int:
        """Bytes that wait for the other end to read."""

    def reads(self) -> bool:
        """Whether we take what comes at the moment."""

    def end(self, why: Why) -> None:
        """Say why where that can be said, and close."""

    def cut(self) -> None:
        """Close without a word."""


@dataclass(slots=True, eq=False)
class Held:
    """One connection as it is counted."""

    speaker: Speaker
    keeper: Connections
    address: str
    """As `counted_as` has it; empty where it counts for nobody."""
    since: float
    """When its phase began."""
    phase: Phase = "silent"
    known: bool = False
    got: int = 0
    """Bytes of a body in this stretch of time."""
    stretch: float = 0.0
    stuck: tuple[float, int] | None = None
    """Since when, and with how many bytes, what we say isn't read as fast as we say it."""

    def turn(self, phase: Phase, now: float) -> None:
        """It does something else from now on, or the same anew."""
        self.phase, self.since, self.got, self.stretch = phase, now, 0, now


@dataclass(slots=True, eq=False)
class Connections:
    """Who is there. One event loop only."""

    limits: Limits
    proxies: Sequence[IPv4Network | IPv6Network] = ()
    """Whose connections carry many visitors'; empty where none is believed."""
    ended: Callable[[Why], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    _held: set[Held] = field(default_factory=set)
    _leaving: set[Held] = field(default_factory=set)
    _of_address: Counter[str] = field(default_factory=Counter)
    _visits: Counter[str] = field(default_factory=Counter)
    _untold: Counter[Why] = field(default_factory=Counter)
    _tell_at: float = 0.0
    _look: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._held)

    def counts(self) -> Counter[Phase]:
        """How many are in which phase."""
        return Counter([*(held.phase for held in self._held), *(held.phase for held in self._leaving)])

    # coming and going

    def take(self, speaker: Speaker, host: str) -> tuple[Held, bool]:
        """A new connection, and whether there is room for it; where there is none, it is to be ended."""
        now = self.clock()
        held = Held(speaker, self, self._address(host), now, stretch=now)
        room = (
            not held.address or self._of_address[held.address] < self.limits.each or self._make_room(now, held.address)
        ) and (len(self._held) < self.limits.most or self._make_room(now))
        if room:
            self._held.add(held)
            self._of_address[held.address] += 1
        if self._look is None:
            self._look = asyncio.get_running_loop().call_later(self.limits.every_s, self._look_around)
        return held, room

    def note(self, why: Why) -> None:
        """We end one for this reason."""
        self.ended(why)
        self._untold[why] += 1

    def leaves(self, held: Held) -> bool:
        """It has read all that we say and may go on talking for a moment, counted no more; False where too many do."""
        if len(self._leaving) >= min(_LEAVING, self.limits.most):
            return False
        self._forget(held)
        self._leaving.add(held)
        return True

    def gone(self, held: Held) -> None:
        """Its socket is closed."""
        self._forget(held)
        self._leaving.discard(held)

    def visit(self, scope: Scope) -> Visit:
        """A request that a proxy brought, which counts for the visitor that it names."""
        forwarded = bool(self.proxies) and any(name == b"x-forwarded-for" for name, _ in scope["headers"])
        client = scope.get("client")
        return Visit(self._visits, self.limits.each, counted_as(client[0]) if forwarded and client else "")

    def _address(self, host: str) -> str:
        address = counted_as(host)
        return "" if address in _THIS_MACHINE or within(host, self.proxies) else address

    def _forget(self, held: Held) -> None:
        if held not in self._held:
            return
        self._held.discard(held)
        self._of_address[held.address] -= 1
        if not self._of_address[held.address]:
            del self._of_address[held.address]

    # making room

    def _make_room(self, now: float, of: str | None = None) -> bool:
        """End some that can be spared, of one address or of all; whether any was."""
        ranked = [
            (rank, -self._of_address[held.address], held.since, id(held), held)
            for held in self._held
            if (of is None or held.address == of) and (rank := _rank(held)) is not None
        ]
        ranked.sort()
        # what is in use between two requests goes one by one, and only where nothing else can
        least = ranked[0][0] if ranked else 0
        many = 1 if least == _IDLE else max(1, (self.limits.each if of else self.limits.most) // _AT_ONCE)
        for rank, *_, held in ranked[:many]:
            if rank == _IDLE and least != _IDLE:
                break
            held.speaker.end("made room")
        return bool(ranked)

    # looking after all of them

    def _look_around(self) -> None:
        now = self.clock()
        for held in [*self._held, *self._leaving]:
            self._look_at(held, now)
        if self._untold and now >= self._tell_at:
            said = ", ".join(f"{why}: {count}" for why, count in sorted(self._untold.items()))
            _log.warning("connections were ended (%s)", said)
            self._untold.clear()
            self._tell_at = now + _TELL_EVERY_S
        self._look = None
        if self._held or self._leaving or self._untold:
            self._look = asyncio.get_running_loop().call_later(self.limits.every_s, self._look_around)

    def _look_at(self, held: Held, now: float) -> None:
        limits, took = self.limits, now - held.since
        if held.phase == "leaving" and held.stuck is None:
            if took > limits.leaving_s:
                held.speaker.cut()
        elif self._is_stuck(held, now):
            self.note("too slow")
            held.speaker.cut()
        elif held.phase in ("silent", "head"):
            if took > limits.head_s:
                held.speaker.end("too slow")
        elif held.phase == "idle":
            if took > limits.idle_s:
                held.speaker.cut()
        elif held.phase == "body":
            if not held.speaker.reads():
                # what doesn't come is not asked for: it is we who are slow
                held.got, held.stretch = 0, now
            elif now - held.stretch > limits.body_s:
                if held.got < limits.body_least:
                    held.speaker.end("too slow")
                else:
                    held.got, held.stretch = 0, now

    def _is_stuck(self, held: Held, now: float) -> bool:
        """Whether the other end reads too little of what waits for it; counted only while much does."""
        if held.stuck is None:
            return False
        since, unsent = held.stuck
        if now - since <= self.limits.write_s:
            return False
        left = held.speaker.unsent()
        if unsent - left < self.limits.write_least:
            return True
        held.stuck = (now, left)
        return False


@dataclass(slots=True)
class Visit:
    """A visitor's request while it lasts, counted with their others that last."""

    _visits: Counter[str]
    _most: int
    _address: str

    def begin(self) -> bool:
        """Whether it may begin; `end` is to be called if so."""
        if not self._address:
            return True
        if self._visits[self._address] >= self._most:
            return False
        self._visits[self._address] += 1
        return True

    def end(self) -> None:
        if self._address:
            self._visits[self._address] -= 1
            if not self._visits[self._address]:
                del self._visits[self._address]


_IDLE = 2


def _rank(held: Held) -> int | None:
    """In what order connections can be spared; None where they can't."""
    if held.phase in ("silent", "head"):
        return _IDLE if held.known else 0
    if held.phase == "idle":
        return _IDLE if held.known else 0
    if not held.known and (held.phase == "body" or held.stuck is not None):
        return 1
    return None


def known(scope: Scope) -> None:
    """Somebody who is signed in uses this request's connection."""
    held = scope.get("state", {}).get(HELD)
    if held is not None:
        held.known = True


def is_known(scope: Scope) -> bool:
    """Whether somebody who is signed in has used this request's connection; True where nobody keeps count."""
    held = scope.get("state", {}).get(HELD)
    return held is None or held.known


def counted_as(host: str) -> str:
    """An address as it is counted: whoever has one IPv6 address has a network of them."""
    try:
        found = ip_address(host)
    except ValueError:
        return host
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(found) if found.is_loopback else str(ip_network((found, 64), strict=False))
    return str(found)


def within(host: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Whether an address is in one of these networks."""
    try:
        found = ip_address(host)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return any(found in each for each in networks)
