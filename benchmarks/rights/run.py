"""Try after try: somebody asks at a door, the reply is looked through, and compared with the twin's."""

from __future__ import annotations

import json
import random
import re
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from benchmarks.rights.changes import Change, as_meant, changed
from benchmarks.rights.doors import ANSWERING, CHANGING, OF_A_DOCUMENT, OTHER_DOORS, Draw, Operation, ask, described
from benchmarks.rights.replies import Reply, difference
from benchmarks.rights.truth import ATTACHED, Truth
from benchmarks.rights.world import ADMIN, CURATOR, KEEPER, LOCAL, PEOPLE, READERS, Twins, World, twins

TRIES_OF_A_WORLD = 500
"""After so many the next world begins, with other words."""
_CHANGE = 0.25
"""How likely something changes before a try."""
_READING = frozenset({"read_text", "list_chunks", "get_original"})
"""Shows a document to whoever may see it, and to nobody else."""
_CURATORS = frozenset({"show_document_to", "remove_document", "redact_document", "send_documents", "look_at_removal"})
"""Of what only curators may do, what this one tries with documents of others."""


@dataclass(slots=True)
class Outcome:
    """What the tries came to."""

    tries: int = 0
    faults: list[str] = field(default_factory=list)
    doors: Counter[str] = field(default_factory=Counter)
    """How often each was tried."""
    changes: int = 0


@dataclass(frozen=True, slots=True)
class Door:
    """A door, and who asks at it."""

    name: str
    askers: tuple[str, ...]
    ask: Callable[[World, str, Draw], Reply]


def doors_of(world: World) -> tuple[Door, ...]:
    """All of them."""
    found = [_of_operation(operation) for operation in described(world)]
    return (*found, *(Door(name, askers, call) for name, (call, askers) in OTHER_DOORS.items()))


def _of_operation(operation: Operation) -> Door:
    def call(world: World, name: str, draw: Draw) -> Reply:
        return ask(world, name, operation, draw)

    if operation.id in CHANGING:
        return Door(operation.id, (*READERS, CURATOR) if operation.id in _CURATORS else READERS, call)
    return Door(operation.id, (*READERS, *READERS, *PEOPLE), call)


def _askers(found: Twins, door: Door) -> tuple[str, ...]:
    """In Python the program says who asks, and nobody looks whether they are locked."""
    if not door.name.startswith("python"):
        return door.askers
    people = found.holding.truth.people
    return tuple(name for name in door.askers if people[name].active) or (ADMIN,)


def one_try(found: Twins, door: Door, name: str, draw: Draw) -> str:
    """Ask in both worlds; returns what is wrong with what was told, empty where nothing is."""
    before = found.learn()
    replies = []
    for world in found.worlds if name not in (ADMIN, KEEPER) else (found.holding,):
        with _ids_by_chance(draw.seed):
            replies.append(door.ask(world, name, draw))
    after = found.learn()
    if replies[0].status >= 500:
        return f"{door.name} fails with {replies[0].status}: {replies[0].body[:300]}"
    if door.name in CHANGING and after.rights != before.rights:
        return f"{door.name} by {name} changes rights"
    if told := _kept_from(found, door, name, replies[0], before):
        return told
    if told := _overheard(found, door, name, replies[0], (before, after)):
        return told
    if len(replies) == 2:
        masked = [reply.masked(found.aliases) for reply in replies]
        if differs := difference(*masked):
            return f"{door.name} tells {name} of what is hidden:\n{differs}"
    return ""


def _ids_by_chance(seed: int) -> AbstractContextManager[object]:
    """What gets an id while the block runs gets the same one in both worlds: chunks of one score go by their ids."""
    chance = random.Random(seed)
    return mock.patch("uuid.uuid4", lambda: uuid.UUID(int=chance.getrandbits(128), version=4))


def _kept_from(found: Twins, door: Door, name: str, reply: Reply, truth: Truth) -> str:
    """Whether somebody is refused what they may see, or gets more of it than there is."""
    if name not in truth.people or not truth.people[name].active:
        let_in = reply.status != 401 and name != LOCAL and door.name != "live"
        return f"{name} is locked and gets {reply.status}" if let_in else ""
    if door.name in _READING and "revision=" not in reply.asked:
        document = reply.asked.split("/")[3].split("?")[0]
        row = truth.documents.get(document)
        cared_for = row is not None and truth.looks_after(name, row.collection)
        may = truth.sees(name, document) or cared_for
        if (reply.status == 200) != may:
            return f"{name} asks {reply.asked} and gets {reply.status}, though they {'may' if may else 'may not'}"
    if door.name == "list_documents" and "?" not in reply.asked and name in READERS:
        seen = sum(
            truth.sees(name, key) and not row.collection.startswith(ATTACHED) for key, row in truth.documents.items()
        )
        if json.loads(reply.body)["total"] != seen:
            return f"{name} may see {seen} documents and is told of {json.loads(reply.body)['total']}"
    return ""


def _overheard(found: Twins, door: Door, name: str, reply: Reply, truths: Sequence[Truth]) -> str:
    """Words in a reply that somebody may read neither before nor after."""
    people = {person.id: known for known, person in truths[-1].people.items()}
    ears = [name, *([people[reply.looked_as]] if name == ADMIN and reply.looked_as in people else [])]
    for word, told in found.words.found_in(reply.said):
        allowed = any(
            truth.may_read(
                ear,
                told,
                was_shown=word in found.shown[ear],
                as_curator=door.name in OF_A_DOCUMENT,
                admin=name == ADMIN,
            )
            for truth in truths
            for ear in ears
        )
        if not allowed:
            return f"{name} reads {word} ({told}) by {door.name}: {_around(reply.said, word)}"
        if door.name in ANSWERING:
            found.shown[name].add(word)
    return ""


def _around(said: str, word: str) -> str:
    at = said.index(word)
    return re.sub(r"\s+", " ", said[max(0, at - 80) : at + 80])


def draw_for(found: Twins, chance: random.Random, door: Door, name: str) -> Draw:
    """The chances of a try; a curator tries to change what others look after."""
    ids = [key for key, collection in found.ids.items() if collection != "plans" or door.name not in _CURATORS]
    return Draw(chance.randrange(2**32), tuple(sorted(ids)), tuple(found.words.probes()))


def tried(
    found: Twins,
    chance: random.Random,
    tries: int,
    outcome: Outcome,
    chosen: Sequence[str] = (),
    often: Sequence[Change] = (),
) -> str:
    """So many tries in one world; returns the first fault, empty where there is none. Only at `chosen` doors, where
    some are named, and with every second change one of those that are to come `often`."""
    doors = [door for door in doors_of(found.holding) if not chosen or door.name in chosen]
    times: Counter[str] = Counter()  # of this world alone, so that its seed says all
    found.learn()
    for number in range(tries):
        said = ""
        if chance.random() < _CHANGE:
            said = chance.choice(often)(found, chance) if often and chance.random() < 0.5 else changed(found, chance)
            outcome.changes += 1
            found.learn()
            if faults := as_meant(found):
                return f"try {number}, after {said}: {'; '.join(faults)}"
        # what was tried least comes first, so that a short run tries every door too
        rare = min(times[door.name] for door in doors)
        some = [door for door in doors if times[door.name] == rare] if chance.random() < 0.5 else doors
        door = chance.choice(some)
        name = chance.choice(_askers(found, door))
        outcome.tries += 1
        outcome.doors[door.name] += 1
        times[door.name] += 1
        if fault := one_try(found, door, name, draw_for(found, chance, door, name)):
            return f"try {number}{f', after {said}' if said else ''}: {fault}"
    return ""


def fuzz(
    models: Path, tries: int, seed: int, tell: Callable[[str], None] = lambda _: None, most_faults: int = 5
) -> Outcome:
    """So many tries, in as many worlds as that takes. The seeds of worlds count up from `seed`."""
    outcome = Outcome()
    while outcome.tries < tries and len(outcome.faults) < most_faults:
        before = outcome.tries
        with tempfile.TemporaryDirectory(prefix="ragapp-rights-") as folder, twins(models, Path(folder), seed) as found:
            fault = tried(found, random.Random(seed), min(TRIES_OF_A_WORLD, tries - outcome.tries), outcome)
        if fault:
            outcome.faults.append(f"seed {seed}, {fault}")
            tell(outcome.faults[-1])
        tell(f"seed {seed}: {outcome.tries - before} tries, {outcome.tries} in all, {len(outcome.faults)} faults")
        seed += 1
    return outcome
