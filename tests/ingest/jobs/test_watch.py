"""A source is looked at on time, once a folder rests, later after each failure, and never twice at once."""

from __future__ import annotations

import threading
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.jobs.watch import FIRST_BACK_OFF_S, LONGEST_BACK_OFF_S, LONGEST_UNREST_S, Notices, Schedule, changes


class Day:
    """A clock that moves only when somebody waits, and the changes that come in the meantime."""

    def __init__(self, *changed_at: float) -> None:
        self.now = 0.0
        self.waiting = sorted(changed_at)

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        if self.waiting and self.waiting[0] <= self.now + seconds:
            self.now = max(self.now, self.waiting.pop(0))
            return True
        self.now += seconds
        return False


def turns(day: Day, count: int, well: tuple[bool, ...] = (), takes: float = 0.0) -> list[tuple[float, str]]:
    stop = threading.Event()
    seen: list[tuple[float, str]] = []
    for turn in changes("s3://bucket", 600, stop, quiet_s=3, clock=day.clock, signal=day):
        turn.well = well[len(seen)] if len(seen) < len(well) else True
        seen.append((day.now, turn.cause))
        day.now += takes
        if len(seen) == count:
            stop.set()
    return seen


def test_the_first_look_is_at_once_and_then_on_schedule() -> None:
    assert turns(Day(), 3) == [(0, "start"), (600, "schedule"), (1200, "schedule")]


def test_the_schedule_counts_from_the_end_of_a_run_so_that_two_never_overlap() -> None:
    assert turns(Day(), 2, takes=1000) == [(0, "start"), (1600, "schedule")]


def test_a_change_is_taken_once_the_folder_rests() -> None:
    assert turns(Day(100, 102, 104.5), 3) == [(0, "start"), (107.5, "change"), (707.5, "schedule")]


def test_a_change_during_a_run_is_not_lost() -> None:
    assert turns(Day(5), 2, takes=10) == [(0, "start"), (13, "change")]


def test_a_folder_that_never_rests_is_looked_at_all_the_same() -> None:
    seen = turns(Day(*range(10, 500)), 2)
    assert seen[1] == (10 + LONGEST_UNREST_S, "change")


def test_failures_wait_longer_and_changes_do_not_hurry_them() -> None:
    seen = turns(Day(1, 2, 3), 4, well=(False, False, False))
    waits = [after[0] - before[0] for before, after in pairwise(seen)]
    assert [cause for _, cause in seen] == ["start", "again", "again", "again"]
    for wait, full in zip(waits, (30, 60, 120), strict=True):
        assert full / 2 <= wait <= full


@given(st.integers(1, 5000), st.floats(0, 1))
def test_back_off_stays_within_its_bounds(failures: int, chance: float) -> None:
    schedule = Schedule(600, chance=lambda: chance)
    for _ in range(min(failures, 100)):
        schedule.ended(0, well=False)
    assert FIRST_BACK_OFF_S / 2 <= schedule.back_off() <= LONGEST_BACK_OFF_S
    schedule.ended(0, well=True)
    assert schedule.next() == (600, "schedule")


def test_a_stop_ends_the_wait() -> None:
    stop = threading.Event()
    for _ in changes("s3://bucket", 1e9, stop):
        stop.set()


@pytest.mark.timeout(60)
def test_the_kernel_tells_of_a_new_file(tmp_path: Path) -> None:
    stop = threading.Event()
    notices = Notices(tmp_path, stop)
    assert notices.ready.wait(20)
    (tmp_path / "new.txt").write_text("x")
    assert notices.wait(20)
    notices.close()
    assert not notices._thread.is_alive()


def test_a_folder_that_cannot_be_watched_leaves_the_schedule(tmp_path: Path) -> None:
    notices = Notices(tmp_path / "nowhere", threading.Event())
    assert notices.ready.wait(20)
    notices.close()
    assert "on its schedule alone" in notices.trouble
