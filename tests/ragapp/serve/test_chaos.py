"""Killed in the middle of work: whoever waits reads one sentence, nothing is lost, and it comes back by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from ragapp import RagApp
from ragapp.errors import IndexUnavailable, StorageFull
from ragapp.index.edge import EdgeIndex
from ragapp.serve.run import running as note_of

from .conftest import Service, wait_until

QUESTION = "When does the office open?"


@contextmanager
def served(data: Path, models_dir: Path) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """`ragapp serve --single-user` as its user starts it."""
    (data / "models").exists() or (data / "models").symlink_to(models_dir)
    command = [sys.executable, "-m", "ragapp", "serve", "--single-user", "--port", "0", "--data", str(data)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    try:
        wait_until(lambda: note_of(data) is not None or process.poll() is not None)
        found = note_of(data)
        assert found, process.communicate()[1].decode()
        with httpx.Client(base_url=found[0], timeout=120) as client:
            yield process, client
    finally:
        process.kill()
        process.communicate()


def ready(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 200
    except httpx.HTTPError:
        return False


def told(client: httpx.Client, question: str, **more: Any) -> list[dict[str, Any]]:
    """The events of an answer, as far as they come."""
    found: list[dict[str, Any]] = []
    asked = {"question": question, "stream": True, **more}
    with client.stream("POST", "/v1/answers", json=asked) as answer:
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append({"event": name, **json.loads(line.removeprefix("data: "))})
    return found


def engines(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes of vLLM below the service."""
    own = psutil.Process(process.pid).children(recursive=True)
    return [child for child in own if child.memory_info().rss > 200 << 20]


@pytest.fixture
def data(tmp_path: Path, models_dir: Path, firm: Path) -> Path:
    with RagApp(data=tmp_path / "data", models_dir=models_dir) as rag:
        rag.ingest(firm / "all")
    return tmp_path / "data"


def test_the_engine_then_the_service(data: Path, models_dir: Path, firm: Path) -> None:
    with served(data, models_dir) as (process, client):
        wait_until(lambda: ready(client), 120)
        assert told(client, QUESTION)[-1]["event"] == "done"

        # the engine dies while somebody reads
        with client.stream("POST", "/v1/answers", json={"question": QUESTION, "stream": True}) as answer:
            lines = answer.iter_lines()
            while not next(lines).startswith("event: passages"):
                pass
            (engine,) = engines(process)
            engine.kill()
            rest = "\n".join(lines)
        *_, last = [line for line in rest.splitlines() if line.startswith("data: ")]
        ended = json.loads(last.removeprefix("data: "))
        # it may have said all before it died
        if ended["state"] != "answered":
            assert ended["state"] == "failed" and ended["detail"].count(". ") == 0, ended
        wait_until(lambda: not ready(client) or bool(engines(process)), 30)
        wait_until(lambda: ready(client), 120)
        assert "7:45" in told(client, QUESTION)[-1]["answer"]

        # the service dies while it answers and takes files in
        more = [firm / "board", *(_notes(data.parent / "notes"))]
        job = client.post("/v1/jobs", json={"paths": [str(path) for path in more]}).json()["id"]
        talk = told(client, QUESTION, new_conversation=True)[-1]["id"]
        orphans = engines(process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    wait_until(lambda: not any(each.is_running() for each in orphans), 30)
    assert note_of(data) is None

    began = time.monotonic()
    with served(data, models_dir) as (process, client):
        wait_until(lambda: client.get("/health/live").status_code == 200)
        assert "7:45" in told(client, QUESTION)[-1]["answer"], "a question that comes while it loads waits"
        print(f"from a restart to the first answer: {time.monotonic() - began:.1f} s")
        assert client.get(f"/v1/answers/{talk}").json()["state"] == "answered"
        wait_until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "finished", 120)
        assert client.get("/v1/documents").json()["total"] == 2 + 1 + 40

        # and a polite stop leaves nothing behind
        orphans = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        wait_until(lambda: not any(each.is_running() for each in orphans), 10)
    assert note_of(data) is None


def _notes(folder: Path) -> list[Path]:
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.md").write_text(f"# Note {number}\n\n" + f"The kiln number {number} is lit at dawn. " * 60)
    return [folder]


def test_the_index_gone(office: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise IndexUnavailable("The Qdrant server at http://qdrant:6333 doesn't answer; start it, or wait.")

    with office.signed_in("bob") as bob:
        with monkeypatch.context() as broken:
            broken.setattr(EdgeIndex, "hybrid", gone)
            answer = bob.get("/v1/search", params={"query": "trains"})
            told, request_id = answer.json()["detail"], answer.headers["x-request-id"]
            assert answer.status_code == 503 and told.startswith("The index can't be used at the moment")
            assert "qdrant" not in told.lower() and request_id in told
            assert answer.json()["request_id"] == request_id
            with office.signed_in("root") as root:
                whole = root.get("/v1/search", params={"query": "trains"})
                assert whole.status_code == 503 and whole.json()["detail"].startswith("The Qdrant server at")
        assert bob.get("/v1/search", params={"query": "trains"}).json()["passages"], "it comes back by itself"


def test_the_disk_full(office: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise StorageFull("The disk is full; free some space and run again (nothing was lost).")

    (tmp_path / "new.md").write_text("# New\n\nThe new lathe is blue.")
    with office.signed_in("root") as root:
        with monkeypatch.context() as broken:
            broken.setattr(EdgeIndex, "upsert", full)
            job = root.post("/v1/jobs", json={"paths": [str(tmp_path / "new.md")]}).json()["id"]
            wait_until(lambda: root.get(f"/v1/jobs/{job}").json()["state"] == "failed")
            assert root.get(f"/v1/jobs/{job}").json()["reason"].startswith("The disk is full")
            broken.setattr("ragapp.serve.routes.documents.stage", full)
            sent = root.post("/v1/documents", files={"files": ("a.md", b"# A")})
            assert sent.status_code == 507 and "disk is full" in sent.json()["detail"]
            assert root.get("/v1/search", params={"query": "trains"}).json()["passages"], "reading goes on"
        root.post(f"/v1/jobs/{job}/resume")
        wait_until(lambda: root.get(f"/v1/jobs/{job}").json()["state"] == "finished")
        assert root.get("/v1/documents", params={"find": "new.md"}).json()["total"] == 1


def test_the_reader_of_a_file_killed(office: Service, tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_text("a,b\n" + "1,2\n" * 200_000)
    (tmp_path / "small.md").write_text("# Small\n\nThe small lathe is green.")
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with office.signed_in("root") as root:
        job = root.post("/v1/jobs", json={"paths": [str(tmp_path / "big.csv"), str(tmp_path / "small.md")]}).json()[
            "id"
        ]

        def readers() -> list[psutil.Process]:
            found = psutil.Process().children(recursive=True)
            return [child for child in found if child.pid not in before and "ingest.fence.worker" in child.cmdline()]

        wait_until(lambda: bool(readers()))
        for reader in readers():
            reader.kill()
        wait_until(lambda: root.get(f"/v1/jobs/{job}").json()["state"] == "finished", 120)
        assert root.get("/v1/documents", params={"find": "small"}).json()["total"] == 1
