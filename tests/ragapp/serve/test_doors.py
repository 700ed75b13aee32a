"""No word, score or count reaches anybody outside their groups, by whatever door, while rights change all the time.

What is tried and how a fault shows itself is written in benchmarks/rights; `make torture ARGS=rights` does twenty times
as much, and says with which seed it found something.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.rights.changes import as_meant
from benchmarks.rights.mutants import MUTANTS, Mutant, caught
from benchmarks.rights.run import Outcome, doors_of, draw_for, one_try, tried
from benchmarks.rights.world import ADMIN, READERS, Twins, twins

TRIES = 500
SEED = 20261129


class Pair:
    """Twins that go from test to test, until one leaves them otherwise than they are meant to be."""

    def __init__(self, folder: Path, models: Path) -> None:
        self._folder, self._models = folder, models
        self._held = ExitStack()
        self._found: Twins | None = None
        self._seed = SEED

    def now(self) -> Twins:
        """As they are meant to be."""
        if self._found is None or as_meant(self._found):
            self.close()
            self._seed += 1
            folder = self._folder / str(self._seed)
            folder.mkdir()
            self._found = self._held.enter_context(twins(self._models, folder, self._seed))
        return self._found

    def close(self) -> None:
        self._held.close()
        self._found = None


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Pair]:
    made = Pair(tmp_path_factory.mktemp("doors"), models_dir)
    yield made
    made.close()


def test_nothing_reaches_anybody_outside_their_groups(pair: Pair) -> None:
    outcome = Outcome()
    assert not tried(pair.now(), random.Random(SEED), TRIES, outcome), f"seed {SEED}"
    assert outcome.tries == TRIES
    # one that is in no list of who asks there, or for whose parameters no value is known, would never be tried
    assert {door.name for door in doors_of(pair.now().holding)} == set(outcome.doors)


def test_and_what_one_may_see_one_does(pair: Pair) -> None:
    found = pair.now()
    for world in found.worlds:
        for held in found.documents:
            if held.live and not held.hidden:
                world.client(ADMIN).put(f"/v1/documents/{held.id}/groups", json={"groups": ["everyone"]})
                held.groups, held.by_hand = frozenset({"everyone"}), True
        for name in READERS:
            world.client(ADMIN).patch(f"/v1/people/{world.person(name)}", json={"active": True})
    shown = [held for held in found.documents if held.live and not held.hidden]
    for name in READERS:
        said = found.holding.client(name).get("/v1/documents", params={"limit": 500}).text
        assert all(held.paper.name in said for held in shown)
        said = found.holding.client(name).post("/v1/answers", json={"question": "What is the code word?"}).text
        assert any(held.paper.content in said for held in shown)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_it_bites(pair: Pair, mutant: Mutant) -> None:
    assert caught(pair.now(), mutant, SEED)
    if mutant.stays:
        pair.close()


def test_and_finds_nothing_once_the_guards_are_back(pair: Pair) -> None:
    found = pair.now()
    chance = random.Random(SEED + 1)
    doors = {door.name: door for door in doors_of(found.holding)}
    for name in dict.fromkeys(name for mutant in MUTANTS for name in mutant.doors):
        asker = chance.choice([name for name in doors[name].askers if name != ADMIN])
        assert not one_try(found, doors[name], asker, draw_for(found, chance, doors[name], asker))
