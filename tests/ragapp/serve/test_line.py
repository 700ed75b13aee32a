"""The queue is bounded, takes turns among people, and forgets nobody."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragapp.serve.line import Line, LineFull, Ticket


async def order_of(line: Line, asked: list[str], parallel: int = 1) -> list[str]:
    """The people in the order in which their questions are taken up, when each is answered before the next."""
    tickets = [line.join(person) for person in asked]
    taken = []
    while waiting := [ticket for ticket in tickets if ticket.taken is not None]:
        first = min(waiting, key=lambda ticket: (ticket.taken, ticket.order))
        taken.append(first.person_id)
        tickets.remove(first)
        line.leave(first)
    assert not tickets
    return taken


async def test_turns_go_round_among_people() -> None:
    taken = await order_of(Line(1, 100, 100), ["ann"] * 4 + ["ben"] * 2 + ["cid"])
    assert taken == ["ann", "ben", "cid", "ann", "ben", "ann", "ann"]


async def test_who_comes_late_with_one_question_doesnt_wait_behind_ten_of_another() -> None:
    line = Line(1, 100, 100)
    many = [line.join("ann") for _ in range(10)]
    late = line.join("ben")
    assert await anext(line.places(late)) == 1
    line.leave(many[0])
    assert late.taken is not None


async def test_places_count_down_to_ones_turn() -> None:
    line = Line(1, 10, 10)
    tickets = [line.join(name) for name in "abcd"]
    told: list[int] = []

    async def wait() -> None:
        async for place in line.places(tickets[3]):
            told.append(place)

    waiting = asyncio.create_task(wait())
    for ticket in tickets[:3]:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        line.leave(ticket)
    await asyncio.wait_for(waiting, 5)
    assert told == [3, 2, 1]


async def test_beyond_its_length_it_refuses_and_says_when_to_come_back() -> None:
    line = Line(1, 2, 2)
    for name in "abc":
        line.join(name)
    with pytest.raises(LineFull, match="2 questions are waiting already") as refused:
        line.join("d")
    assert refused.value.retry_after_s >= 1


async def test_one_person_cant_fill_it() -> None:
    line = Line(1, 100, 3)
    for _ in range(4):
        line.join("ann")
    with pytest.raises(LineFull, match="3 of your questions"):
        line.join("ann")
    line.join("ben")


@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.booleans()), max_size=60),
    st.integers(1, 4),
    st.integers(1, 20),
)
def test_never_more_than_allowed_and_nobody_lost(steps: list[tuple[str, bool]], parallel: int, longest: int) -> None:
    async def walk() -> None:
        line = Line(parallel, longest, longest)
        held: list[Ticket] = []
        for person, comes in steps:
            if comes:
                try:
                    held.append(line.join(person))
                except LineFull:
                    assert line.waiting == longest
            elif held:
                line.leave(held.pop(len(held) // 2))
            assert line.running <= parallel and line.waiting <= longest
            assert line.running + line.waiting == len(held)
            assert line.running == parallel or not line.waiting
        for ticket in held:
            line.leave(ticket)
        assert (line.running, line.waiting) == (0, 0)

    asyncio.run(walk())


@given(st.lists(st.integers(1, 12), min_size=2, max_size=6))
def test_nobody_is_ahead_of_another_who_waits_by_more_than_one(counts: list[int]) -> None:
    asked = [f"p{number}" for number, count in enumerate(counts) for _ in range(count)]
    taken = asyncio.run(order_of(Line(1, 1000, 1000), asked))
    assert sorted(taken) == sorted(asked)
    got = dict.fromkeys(asked, 0)
    # the first was taken before anybody else had come
    for person in taken[1:]:
        got[person] += 1
        waiting = [each for each in got if got[each] < counts[int(each[1:])] - (each == taken[0])]
        if waiting:
            assert got[person] - min(got[each] for each in waiting) <= 2
