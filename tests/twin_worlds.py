"""Two services that differ only in documents which nobody who asks may see: whatever is sent to both, both must answer
with the same bytes. What can't be the same (times, secrets) is masked here, in `masked`, and nowhere else.

    with twins(folder, models_dir, engine, story, people) as pair:
        pair.same("bob", lambda client: client.get("/v1/search", params={"query": "foundry"}))

A story is what happens to documents, in order; what is marked `hidden` happens in the second world only.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import secrets
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import httpx
import pytest

from ragapp import RagApp, Settings
from ragapp.answer.chain import Asked, Piece
from ragapp.answer.prompt import Prompt
from ragapp.catalog import conversations, credentials, people
from ragapp.engine.vllm import VllmEngine
from ragapp.serve import answers
from ragapp.serve.care import EngineCare
from ragapp.types import Usage, document_id
from tests.ragapp.serve.conftest import Service, running

SAME_TIME = 1_700_000_000
"""When every file of a story was written, in seconds since 1970."""

_TIMES = frozenset(
    "created changed added expires used signed_in since until started ended waited_s retrieve_s first_token_s total_s "
    "timings request_id secret csrf".split()
)
"""Fields that hold moments, durations, or what is drawn at random for each request."""
_HEADERS = frozenset({"date", "x-request-id", "set-cookie", "last-modified", "content-length"})
"""The same of headers. A length is that of a body which is compared; for the moment of an original see its own test."""
_IN_TEXT = (
    (re.compile(r'"(created|changed|timings)": ?("[^"]*"|\{[^}]*\})'), r'"\1": "…"'),
    (re.compile(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)?"), "<moment>"),
    (re.compile(r"(waited_s|retrieve_s|first_token_s|total_s)\\*\": ?(null|[0-9.e-]+)"), r'\1": …'),
    (re.compile(r'"created": ?\d+'), '"created": …'),
)
"""The same in what is no JSON: events, exports, tools' replies."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file is taken in, anew or again under its name."""

    name: str
    content: bytes
    collection: str = "default"
    groups: frozenset[str] = frozenset({"everyone"})
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A document is shown to other groups."""

    name: str
    groups: frozenset[str]
    collection: str = "default"
    hidden: bool = True


@dataclass(frozen=True, slots=True)
class Removed:
    """A document is taken away for good."""

    name: str
    collection: str = "default"
    hidden: bool = True


T = TypeVar("T")
Happening = Written | Shown | Removed
Send = Callable[[httpx.Client], httpx.Response]


@dataclass
class Twins:
    """Both services, and everybody's way to speak to them."""

    without: Service
    with_hidden: Service
    clients: Mapping[str, tuple[httpx.Client, httpx.Client]]
    folder: Path
    """Where the files of the story lie, for both."""
    _calls: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def services(self) -> tuple[Service, Service]:
        return self.without, self.with_hidden

    def id_of(self, name: str, collection: str = "default") -> str:
        """The document of a file of the story; the same in both, whether or not it is there."""
        return document_id(collection, str(self.folder / name))

    def both(self, person: str, send: Send) -> tuple[httpx.Response, httpx.Response]:
        """What both say to somebody. What is named by chance gets the same names in both."""
        number = next(self._calls)
        told = []
        for client in self.clients[person]:
            told.append(_drawn_alike(number, lambda to=client: send(to)))
        return told[0], told[1]

    def same(self, person: str, send: Send) -> httpx.Response:
        """What both say alike (the first's reply); AssertionError, with the place, where they don't."""
        first, second = self.both(person, send)
        ours, theirs = masked(first), masked(second)
        if ours != theirs:
            at = next(
                (n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs))
            )
            around = slice(max(0, at - 150), at + 150)
            asked = f"{first.request.method} {first.request.url.raw_path.decode()[:200]}"
            raise AssertionError(f"{person} can tell by {asked}:\n{ours[around]}\nand with it\n{theirs[around]}")
        return first


def masked(response: httpx.Response) -> str:
    """All that a reply says, but for what differs from one call to the next whatever is in."""
    kept = sorted((name, value) for name, value in response.headers.items() if name not in _HEADERS)
    body = response.content.decode("utf-8", "backslashreplace")
    if "json" in response.headers.get("content-type", "") and body:
        body = json.dumps(_without_times(json.loads(body)), ensure_ascii=False)
    for what, instead in _IN_TEXT:
        body = what.sub(instead, body)
    return f"{response.status_code} {kept}\n{body}"


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "…" if key in _TIMES and each is not None else _without_times(each) for key, each in value.items()}
    return [_without_times(each) for each in value] if isinstance(value, list) else value


@contextmanager
def twins(
    folder: Path,
    models_dir: Path,
    engine: VllmEngine,
    story: Sequence[Happening],
    persons: Mapping[str, frozenset[str]],
    rules: Mapping[str, frozenset[str]] | None = None,
) -> Iterator[Twins]:
    """Both worlds after the story, for readers of these groups; `rules` says who sees what is put into collections.

    The engine is a parrot that says what its prompt holds, so that a reply tells all that an answer rests on.
    """
    files = folder / "files"
    files.mkdir()
    shared = secrets.token_bytes(32)
    with ExitStack() as stack:
        patched = stack.enter_context(pytest.MonkeyPatch.context())
        for module in (answers, conversations, credentials, people):
            patched.setattr(module, "uuid", _drawn_names)
        patched.setattr(EngineCare, "ready", _at_once)
        patched.setattr(EngineCare, "is_ready", True)
        services, embedder = [], None
        for world in ("without", "with"):
            data = folder / world
            data.mkdir()
            (data / "secret").write_bytes(shared)
            _drawn.seed(0)
            rag = stack.enter_context(RagApp(Settings(data=data), models_dir=models_dir, engine=engine))
            if embedder is None:
                embedder = rag.embedder
            rag._parts["embedder"] = embedder
            for name, groups in (rules or {}).items():
                rag.catalog.collection_rules.put(name, groups)
            for name, groups in persons.items():
                rag.catalog.people.add(name, groups=groups)
            for happening in story:
                if world == "with" or not happening.hidden:
                    happens(rag, files, happening)
            rag._parts["stages"] = replace(rag.stages, generate=parrot, check=lambda cited: True)
            services.append(stack.enter_context(running(rag, engine=False)))
        clients = {}
        for number, name in enumerate(persons):
            clients[name] = tuple(
                stack.enter_context(service.client(_drawn_alike(-number, lambda of=service, who=name: of.token(who))))
                for service in services
            )
        yield Twins(services[0], services[1], clients, files)  # type: ignore[arg-type]


def happens(rag: RagApp, files: Path, happening: Happening) -> None:
    """One part of a story in one world."""
    path = files / happening.name
    if isinstance(happening, Written):
        path.write_bytes(happening.content)
        os.utime(path, (SAME_TIME, SAME_TIME))
        rag.ingest(path, collection=happening.collection, groups=happening.groups)
    elif isinstance(happening, Shown):
        rag.access.set(document_id(happening.collection, str(path)), happening.groups, new_group=True)
    else:
        rag.remove(rag.plan_removal(document_id(happening.collection, str(path))))


async def parrot(prompt: Prompt, asked: Asked) -> AsyncIterator[Piece]:
    """Says whatever stands before it, of earlier turns too; each word once, or conversations grow for ever."""
    said = " ".join(str(message.content) for message in prompt.messages)
    yield Piece(" ".join(dict.fromkeys(said.split())) + "\n", Usage(1, 0, 1))


async def _at_once(_: EngineCare) -> None:
    """The parrot is always ready."""


_drawn = random.Random()


def _drawn_alike(number: int, work: Callable[[], T]) -> T:
    """What is named by chance meanwhile gets the names that it gets whenever this number is given."""
    _drawn.seed(number)
    return work()


def _drawn_uuid() -> uuid.UUID:
    return uuid.UUID(int=_drawn.getrandbits(128), version=4)


_drawn_names = SimpleNamespace(uuid4=_drawn_uuid, UUID=uuid.UUID)
