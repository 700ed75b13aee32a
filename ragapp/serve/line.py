"""The queue before the engine: bounded, and fair by person: whoever asks much waits behind whoever asks little."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from ragapp.errors import RagappError

_FIRST_GUESS_S = 5.0
_WEIGHT = 0.2
"""Of the newest answer in the moving mean of how long one takes."""


class LineFull(RagappError):
    """Too many questions wait already; `retry_after_s` says when to try again."""

    def __init__(self, sentence: str, retry_after_s: int) -> None:
        super().__init__(sentence)
        self.retry_after_s = retry_after_s


@dataclass(eq=False, slots=True)
class Ticket:
    """One question's place in the line."""

    person_id: str
    order: tuple[float, int]
    taken: float | None = None
    """When its turn came, on the loop's clock."""
    moved: asyncio.Event = field(default_factory=asyncio.Event)


class Line:
    """At most `parallel` questions are answered at once; at most `longest` wait, `each` of one person.

    Start-time fair queuing (Goyal et al. 1996) with every question of the same length: a person's next question
    starts after their last one, in rounds, so that turns go round among the people who wait. One event loop only.
    """

    def __init__(self, parallel: int, longest: int, each: int) -> None:
        self._parallel = parallel
        self._longest = longest
        self._each = each
        self._waiting: list[Ticket] = []
        self._taken: set[Ticket] = set()
        self._round = 0.0
        self._next_round: dict[str, float] = {}
        self._numbers = itertools.count()
        self._mean_s = _FIRST_GUESS_S

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        return len(self._taken)

    def join(self, person_id: str) -> Ticket:
        """A place in the line. Raises LineFull where too many wait."""
        if len(self._waiting) >= self._longest:
            raise LineFull(
                f"{len(self._waiting)} questions are waiting already; try again in a moment.", self._retry_after_s()
            )
        if Counter(ticket.person_id for ticket in self._waiting)[person_id] >= self._each:
            raise LineFull(
                f"{self._each} of your questions are waiting already; wait for an answer, or stop one of them.",
                self._retry_after_s(),
            )
        start = max(self._round, self._next_round.get(person_id, 0.0))
        self._next_round[person_id] = start + 1
        ticket = Ticket(person_id, (start, next(self._numbers)))
        self._waiting.append(ticket)
        self._waiting.sort(key=lambda one: one.order)
        self._move()
        return ticket

    async def places(self, ticket: Ticket) -> AsyncIterator[int]:
        """The ticket's place whenever it changes, 1 being next; ends when its turn has come."""
        told = 0
        while ticket.taken is None:
            ticket.moved.clear()
            place = self._waiting.index(ticket) + 1
            if place != told:
                told = place
                yield place
                continue
            await ticket.moved.wait()

    def leave(self, ticket: Ticket) -> None:
        """The question is answered, or nobody waits for it any more. Leaving twice is harmless."""
        if ticket in self._taken:
            self._taken.remove(ticket)
            took = asyncio.get_running_loop().time() - (ticket.taken or 0.0)
            self._mean_s += _WEIGHT * (took - self._mean_s)
        elif ticket in self._waiting:
            self._waiting.remove(ticket)
        self._move()

    def _move(self) -> None:
        """Take up as many as there is room for, and tell the others that they moved."""
        while self._waiting and len(self._taken) < self._parallel:
            first = self._waiting.pop(0)
            first.taken = asyncio.get_running_loop().time()
            self._round = max(self._round, first.order[0])
            self._taken.add(first)
            first.moved.set()
        for ticket in self._waiting:
            ticket.moved.set()
        if not self._waiting:
            # nobody waits, so that nobody is owed or owes a turn
            self._next_round = {key: start for key, start in self._next_round.items() if start > self._round}

    def _retry_after_s(self) -> int:
        return max(1, round(self._mean_s * len(self._waiting) / self._parallel))
