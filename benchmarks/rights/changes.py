"""What changes rights and documents, by those who may: each in both twins, and what comes of it as it should be."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from benchmarks.rights.papers import FORMATS
from benchmarks.rights.truth import ATTACHED
from benchmarks.rights.words import Told
from benchmarks.rights.world import (
    ADMIN,
    CURATOR,
    GROUPS,
    READERS,
    RULES,
    SEALED,
    Held,
    Twins,
    World,
    know_revision,
    new_document,
    new_paper,
    take_in,
)
from ragapp.types import document_id

Change = Callable[[Twins, random.Random], str]
"""Returns in words what it did."""


def _where(twins: Twins, held: Held) -> tuple[World, ...]:
    """What is hidden is so in the first world only."""
    return (twins.holding,) if held.hidden else twins.worlds


def _some(chance: random.Random, held: Held | None = None) -> frozenset[str]:
    """Groups that see a document; of a hidden one nobody else's."""
    if held is not None and held.hidden:
        return frozenset({SEALED})
    return frozenset(chance.sample((*GROUPS, "everyone"), chance.choice((1, 1, 2))))


def _live(twins: Twins, chance: random.Random, wanted: Callable[[Held], bool] = lambda _: True) -> Held | None:
    there = [held for held in twins.documents if held.live and wanted(held)]
    return chance.choice(there) if there else None


def show(twins: Twins, chance: random.Random) -> str:
    """Somebody chooses a document's groups by hand: an admin, its curator, a program, or a command."""
    held = _live(twins, chance)
    assert held
    groups = _some(chance, held)
    by = chance.choice((ADMIN, "python", CURATOR if held.collection == "plans" else ADMIN))
    for world in _where(twins, held):
        if by == "python":
            world.rag.access.set(held.id, groups, new_group=True)
        else:
            sent = world.client(by).put(f"/v1/documents/{held.id}/groups", json={"groups": sorted(groups)})
            sent.raise_for_status()
    held.groups, held.by_hand = groups, True
    return f"{by} shows {held.paper.source} to {sorted(groups)}"


def put(twins: Twins, chance: random.Random) -> str:
    """An admin puts a reader into other groups."""
    name = chance.choice((*READERS, ADMIN))
    groups = chance.sample(GROUPS, chance.randrange(3))
    for world in twins.worlds:
        world.client(ADMIN).patch(f"/v1/people/{world.person(name)}", json={"groups": groups}).raise_for_status()
    return f"{name} is put into {groups}"


def lock(twins: Twins, chance: random.Random) -> str:
    """An admin locks a reader, or lets them in again."""
    name = chance.choice(READERS)
    active = not twins.holding.truth.people[name].active
    for world in twins.worlds:
        world.client(ADMIN).patch(f"/v1/people/{world.person(name)}", json={"active": active}).raise_for_status()
    return f"{name} is {'let in' if active else 'locked'}"


def send_again(twins: Twins, chance: random.Random) -> str:
    """A document comes again under its name with other words, by whatever door; nothing is said of groups."""
    held = _live(twins, chance)
    assert held
    held.paper, _ = new_paper(twins.words, held.collection, held.paper.source, held.paper.name)
    by = chance.choice(("python", "job")) if held.path else CURATOR if held.collection == "plans" else ADMIN
    for world in _where(twins, held):
        if held.path is None:
            world.send(held, by)
            continue
        held.path.write_bytes(held.paper.written)
        if by == "python":
            world.rag.ingest(held.path, collection=held.collection)
        else:
            asked = {"paths": [str(held.path)], "collection": held.collection}
            world.done(world.client(ADMIN).post("/v1/jobs", json=asked))
    _in(twins, held)
    return f"{by} sends {held.paper.source} again"


def send_for(twins: Twins, chance: random.Random) -> str:
    """A file of the machine comes again, with groups that somebody says: what was chosen by hand is shown to nobody
    else, and narrowed at the most."""
    held = _live(twins, chance, lambda each: each.path is not None)
    if held is None or held.path is None:
        return "no file is there"
    held.paper, _ = new_paper(twins.words, held.collection, held.paper.source, held.paper.name)
    held.path.write_bytes(held.paper.written)
    groups = _some(chance)
    by = chance.choice(("python", "job"))
    for world in twins.worlds:
        if by == "python":
            world.rag.ingest(held.path, collection=held.collection, groups=sorted(groups))
        else:
            asked = {"paths": [str(held.path)], "collection": held.collection, "groups": sorted(groups)}
            world.done(world.client(ADMIN).post("/v1/jobs", json=asked))
    if not held.by_hand or "everyone" in held.groups or groups <= held.groups:
        held.groups = groups
    _in(twins, held)
    return f"{by} sends {held.paper.source} again for {sorted(groups)}"


def redact(twins: Twins, chance: random.Random) -> str:
    """The old text of a document goes everywhere; whoever was shown it has it no more."""
    held = _live(twins, chance)
    assert held
    by = chance.choice((ADMIN, "python", CURATOR if held.collection == "plans" else ADMIN))
    for world in _where(twins, held):
        if by == "python":
            world.rag.redact(world.rag.plan_redaction(held.id))
        else:
            world.client(by).post(f"/v1/documents/{held.id}/redaction").raise_for_status()
    live = twins.holding.truth.documents[held.id].revision
    _unshow(twins, lambda told: told.document == held.id and told.revision != live)
    return f"{by} redacts {held.paper.source}"


def _unshow(twins: Twins, gone: Callable[[Told], bool]) -> None:
    """What answers showed of this is erased."""
    for words in twins.shown.values():
        words -= {word for word in words if gone(twins.words.known[word])}


def send_new(twins: Twins, chance: random.Random) -> str:
    """A new document comes in with its collection's groups."""
    collection = chance.choice(tuple(RULES))
    rule = twins.holding.rag.catalog.collection_rules.get(collection)
    assert rule and rule.groups
    held = new_document(twins.words, collection, chance.choice(FORMATS), rule.groups)
    twins.documents.append(held)
    for world in _where(twins, held):
        world.send(held, CURATOR if collection == "plans" else ADMIN)
    _in(twins, held)
    return f"{held.paper.source} comes into {collection}"


def hide_new(twins: Twins, chance: random.Random) -> str:
    """A hidden document comes in, in the first world."""
    collection = chance.choice(("default", "board", "vault"))
    held = new_document(twins.words, collection, chance.choice(FORMATS), frozenset({SEALED}))
    held.hidden = held.by_hand = True
    world = twins.holding
    # nobody looks in between, so that it is not seen by the collection's groups for a moment
    take_in(twins.words, world, held)
    world.rag.access.set(held.id, held.groups)
    twins.documents.append(held)
    return f"{held.paper.source} is hidden in {collection}"


def remove(twins: Twins, chance: random.Random) -> str:
    """A document is taken away; its name may be given to another later."""
    held = _live(twins, chance, lambda each: each.hidden or len([h for h in twins.documents if h.live]) > 9)
    if held is None:
        return "nothing is taken away"
    by = chance.choice((ADMIN, "python", CURATOR if held.collection == "plans" else ADMIN))
    for world in _where(twins, held):
        if by == "python":
            world.rag.remove(world.rag.plan_removal(held.id))
        else:
            world.client(by).delete(f"/v1/documents/{held.id}").raise_for_status()
    held.live = False
    there = twins.holding.truth.documents
    _unshow(twins, lambda told: told.document not in there)
    return f"{by} removes {held.paper.source}"


def come_back(twins: Twins, chance: random.Random) -> str:
    """A new document takes the name of one that was taken away."""
    gone = [held for held in twins.documents if not held.live and held.path is None and not held.hidden]
    if not gone:
        return "no name is free"
    held = chance.choice(gone)
    rule = twins.holding.rag.catalog.collection_rules.get(held.collection)
    assert rule and rule.groups
    held.paper, _ = new_paper(twins.words, held.collection, held.paper.source, held.paper.name)
    for world in twins.worlds:
        world.send(held)
    held.live, held.groups, held.by_hand = True, rule.groups, False
    _in(twins, held)
    return f"{held.paper.source} comes back as another document"


def rule(twins: Twins, chance: random.Random) -> str:
    """Who sees what is put into a collection from now on; what is in stays as it is."""
    collection = chance.choice(tuple(RULES))
    groups = sorted(_some(chance))
    by = CURATOR if collection == "plans" and chance.random() < 0.5 else ADMIN
    for world in twins.worlds:
        world.client(by).put(f"/v1/collections/{collection}", json={"groups": groups}).raise_for_status()
    return f"{by} opens {collection} to {groups}"


def attach(twins: Twins, chance: random.Random) -> str:
    """A reader attaches a file to a conversation of theirs."""
    name = chance.choice(READERS)
    number = len(twins.holding.talks[name])
    if not number or not twins.holding.truth.people[name].active:
        return f"{name} has no conversation"
    at = chance.randrange(number)
    if any(world.talks[name][at] not in world.truth.talks for world in twins.worlds):
        return f"{name}'s conversation is gone"
    number = len(twins.holding.attached)
    file, alias = f"annex{number}.md", f"attached-{number}"
    word = twins.words.new("content", "", "")
    for world in twins.worlds:
        talk = world.talks[name][at]
        files = {"file": (file, f"# Annex\n\nThe code word of the annex is {word}.\n".encode())}
        sent = world.client(name).post(f"/v1/conversations/{talk}/files", files=files)
        if sent.status_code == 409:
            return f"{name}'s conversation is full"
        sent.raise_for_status()
        world.at_rest()
        key = document_id(f"{ATTACHED}{talk}", file)
        world.attached[alias] = key
        if world is twins.holding:
            twins.words.known[word] = Told("content", key, f"{ATTACHED}{talk}", world.truth.documents[key].revision)
    return f"{name} attaches {file}"


def _in(twins: Twins, held: Held) -> None:
    know_revision(twins.words, twins.holding, held)


CHANGES: dict[Change, int] = {
    show: 6, put: 4, lock: 1, send_again: 3, send_for: 1, redact: 1, send_new: 1, hide_new: 1, remove: 1, come_back: 1,
    rule: 2,
    attach: 1,
}  # fmt: skip
"""Each with how often it happens, as a weight."""


def changed(twins: Twins, chance: random.Random) -> str:
    """One change, drawn."""
    (change,) = chance.choices(tuple(CHANGES), tuple(CHANGES.values()))
    return change(twins, chance)


def as_meant(twins: Twins) -> list[str]:
    """Where the catalogs' groups are not those that the changes so far should have left."""
    faults: list[str] = []
    for world in twins.worlds:
        found: dict[str, Any] = world.truth.documents
        for held in twins.documents:
            row = found.get(held.id)
            there = held.live and (not held.hidden or world is twins.holding)
            if there != (row is not None):
                faults.append(f"{held.paper.source} {'is missing' if there else 'is still there'}")
            elif row is not None and row.groups != held.groups:
                faults.append(f"{held.paper.source} is seen by {sorted(row.groups)}, meant for {sorted(held.groups)}")
    return faults
