"""A service on a free port of loopback, over a small firm's documents, with the session's one engine."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from ragapp import RagApp, Settings
from ragapp.engine.vllm import VllmEngine
from ragapp.index.holes import copy_with_holes
from ragapp.serve.app import build_app, build_house
from ragapp.serve.house import House
from ragapp.serve.page_care import PageCare
from ragapp.serve.signin import hashed
from ragapp.serve.wire import configured

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Service:
    """A running service and ways to speak to it."""

    url: str
    house: House

    def client(self, token: str | None = None, **options: Any) -> httpx.Client:
        """A client that is nobody, or that sends an API token."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=240, **options)

    def token(self, name: str, *scopes: str) -> str:
        """A new API token of this person; for everything where no scope is named."""
        person = self.house.catalog.people.find(name=name)
        assert person
        chosen = scopes or ("ask", "curate", "admin")
        return self.house.catalog.credentials.add_token(person.id, "test", chosen, None)[0]  # type: ignore[arg-type]

    @contextmanager
    def signed_in(self, name: str) -> Iterator[httpx.Client]:
        """A browser in which this person signed in; sends what the page would send."""
        with self.client() as client:
            answer = client.post("/v1/session", json={"name": name, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            client.headers["x-csrf-token"] = answer.json()["csrf"]
            yield client


@contextmanager
def running(rag: RagApp, *, engine: bool = True, page: bool = False, port: int = 0) -> Iterator[Service]:
    """Serve a RagApp until the block ends; without `engine` nothing is loaded, and it never gets ready."""
    with socket.create_server(("127.0.0.1", port)) as opened:
        url = f"http://127.0.0.1:{opened.getsockname()[1]}"
        house = build_house(rag, PageCare(url) if page else None)
        if not engine:
            house.engine.run = _rest  # type: ignore[method-assign]
        config = configured(build_app(house), house.connections, timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
        thread.start()
        service = Service(url, house)
        try:
            yield service
        finally:
            server.should_exit = True
            thread.join(timeout=60)
            assert not thread.is_alive()


async def _rest() -> None:
    """Instead of loading models."""


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that another thread or process brings about."""
    import time

    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


async def run_until(comes: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Run a task that has no end until something comes about, and not a moment longer."""
    task, waits = asyncio.create_task(work), asyncio.create_task(comes.wait())
    try:
        await asyncio.wait({task, waits}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        assert comes.is_set(), f"it did not come about: {task}"
    finally:
        task.cancel()
        waits.cancel()
        await asyncio.gather(task, waits, return_exceptions=True)


@pytest.fixture(scope="session")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents for everyone and documents for the board."""
    folder = tmp_path_factory.mktemp("firm")
    (folder / "all").mkdir()
    (folder / "board").mkdir()
    (folder / "all" / "travel.md").write_text(
        "# Travel\n\nTrains are booked in second class. Receipts are handed in within 14 days.\n"
    )
    (folder / "all" / "hours.md").write_text("# Opening hours\n\nThe office opens at 7:45 on weekdays.\n")
    (folder / "board" / "merger.md").write_text(
        "# Merger\n\nThe firm buys the Ostrava foundry for 31 million euro in May.\n"
    )
    return folder


def move_in(rag: RagApp, firm: Path) -> None:
    """The firm's documents and people: an admin (root), ada of the board, who looks after the collection board, and bob
    of no group."""
    rag.ingest(firm / "all")
    rag.ingest(firm / "board", collection="board", groups=["board"])
    rag.catalog.collection_rules.put("default", ["everyone"])
    rag.catalog.collection_rules.put("board", ["board"])
    people = rag.catalog.people
    kept = hashed(PASSWORD)
    people.add("root", role="admin", password_hash=kept)
    ada = people.add("ada", password_hash=kept, groups=["board"])
    people.curate(ada.id, ["board"])
    people.add("bob", password_hash=kept)


@pytest.fixture(scope="session")
def service(
    tmp_path_factory: pytest.TempPathFactory, models_dir: Path, engine: VllmEngine, firm: Path
) -> Iterator[Service]:
    """The firm's service, which answers; for the whole session, so leave it as you found it."""
    settings = Settings(data=tmp_path_factory.mktemp("service"))
    with RagApp(settings, models_dir=models_dir, engine=engine) as rag:
        move_in(rag, firm)
        with running(rag) as service:
            wait_until(lambda: service.house.engine.is_ready)
            yield service


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory, models_dir: Path, firm: Path) -> Path:
    """The firm's data folder as it is on the first day, to be copied."""
    data = tmp_path_factory.mktemp("furnished") / "data"
    with RagApp(Settings(data=data), models_dir=models_dir) as rag:
        move_in(rag, firm)
    return data


@pytest.fixture
def office(tmp_path: Path, models_dir: Path, resting_engine: VllmEngine, furnished: Path) -> Iterator[Service]:
    """The firm's service without an engine, one's own to change: for everything but answers."""
    shutil.copytree(furnished, tmp_path / "data", copy_function=copy_with_holes)
    with (
        RagApp(Settings(data=tmp_path / "data"), models_dir=models_dir, engine=resting_engine) as rag,
        running(rag, engine=False) as service,
    ):
        yield service


@pytest.fixture
def bob(service: Service) -> Iterator[httpx.Client]:
    with service.signed_in("bob") as client:
        yield client


@pytest.fixture
def ada(service: Service) -> Iterator[httpx.Client]:
    with service.signed_in("ada") as client:
        yield client


@pytest.fixture
def root(service: Service) -> Iterator[httpx.Client]:
    with service.signed_in("root") as client:
        yield client
