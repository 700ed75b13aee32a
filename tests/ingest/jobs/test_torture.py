"""`make torture` in short: killed in its work again and again, a sync ends where an undisturbed one does."""

from pathlib import Path

import pytest

from benchmarks import torture
from benchmarks.torture import differences

ROUNDS = 2


@pytest.mark.parametrize("power_cut", [False, True], ids=["kill -9", "power cut"])
def test_a_sync_killed_at_random_points_ends_as_an_undisturbed_one(power_cut: bool) -> None:
    outcome = torture.torture(ROUNDS, seed=5, power_cut=power_cut)
    assert outcome.killed == ROUNDS
    assert not outcome.faults


def test_what_a_crash_left_behind_is_seen(tmp_path: Path) -> None:
    room = torture.Room(tmp_path, power_cut=False)
    room.temporary.mkdir()
    (room.temporary / "left").touch()
    assert list(torture._left_behind(room)) == ["the temporary file left was left"]


def test_differences_are_named_where_they_are() -> None:
    ours = {"documents": [["a.md", 3]], "count": 7}
    assert list(differences(ours, ours)) == []
    assert list(differences(ours, {"documents": [["a.md", 4]]})) == [
        "/count: 7 and not null",
        "/documents/0/1: 3 and not 4",
    ]
