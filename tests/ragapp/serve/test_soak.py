"""Three hundred connections that come to nothing, beside people who ask: everybody is answered and nothing swells."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks.parrot import parrot
from benchmarks.soak import KINDS
from ragapp import RagApp
from ragapp.logs import log_path
from ragapp.serve.care import EngineCare

from .conftest import Service, wait_until

ROOT = Path(__file__).parents[3]
CONNECTIONS, SECONDS, PEOPLE = 300, 10, 5
MEMORY_MIB = 256
LOG_LINES = 400
"""Besides a line for each question."""


@pytest.fixture
def answering(office: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The office, in which a parrot answers."""

    async def at_once(_: EngineCare) -> None:
        """The parrot is always ready."""

    monkeypatch.setattr(EngineCare, "ready", at_once)
    monkeypatch.setattr(EngineCare, "is_ready", True)
    rag: RagApp = office.house.rag
    rag._parts["stages"] = replace(rag.stages, generate=parrot, check=lambda cited: True)
    yield office


KEPT_OPEN = 64
"""Descriptors that may stay when the crowd has gone, of a pool of threads that each have the catalog open."""


def test_nobody_notices(answering: Service) -> None:
    kept = answering.house.connections
    # fewer places than come, and times that end within the test
    kept.limits = replace(kept.limits, most=200, head_s=2.0, body_s=2.0, write_s=2.0)
    process, log = psutil.Process(), log_path(answering.house.settings)
    token = answering.token("bob")
    with answering.client(token) as bob:
        bob.post("/v1/answers", json={"question": "When does the office open?"})
    files, memory, lines = process.num_fds(), process.memory_info().rss, len(log.read_text().splitlines())
    command = [sys.executable, "-m", "benchmarks.soak", "--disturb", answering.url]
    command += ["--connections", str(CONNECTIONS), "--seconds", str(SECONDS)]
    outcomes: Counter[int] = Counter()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as crowd:
        most_files, most_memory = files, memory
        people = [threading.Thread(target=ask, args=(answering, token, crowd, outcomes)) for _ in range(PEOPLE)]
        for person in people:
            person.start()
        while crowd.poll() is None:
            most_files = max(most_files, process.num_fds())
            most_memory = max(most_memory, process.memory_info().rss)
            time.sleep(0.1)
        for person in people:
            person.join()
        assert crowd.stdout
        told = json.loads(crowd.stdout.read())
    assert set(outcomes) == {200} and outcomes[200] >= PEOPLE, outcomes
    assert set(told["begun"]) == set(KINDS)
    # uploads and half bodies were told why, and places were made for who came later
    assert told["told"].get("401", 0) > 0
    ended = answering.house.metrics.connections_ended
    assert sum(ended.labels(why)._value.get() for why in ("made room", "too slow")) > 0
    assert ended.labels("too many")._value.get() == 0
    assert most_files - files < 200 + 256 + 64, "no more than there are places, and last words"
    assert most_memory - memory < MEMORY_MIB << 20, f"{(most_memory - memory) >> 20} MiB more"
    assert len(log.read_text().splitlines()) - lines < LOG_LINES + 10 * outcomes[200]
    # what the catalog's connections of busy threads hold open stays for the next question
    wait_until(lambda: len(kept) == 0 and process.num_fds() <= files + KEPT_OPEN)
    assert answering.house.spooling.bytes == 0


def ask(service: Service, token: str, crowd: subprocess.Popen[bytes], outcomes: Counter[int]) -> None:
    """One question after the other, each on a connection of its own, as long as the crowd is there."""
    while crowd.poll() is None:
        with service.client(token) as client:
            outcomes[client.post("/v1/answers", json={"question": "When does the office open?"}).status_code] += 1
