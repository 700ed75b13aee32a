"""Twenty people at once against a running service: no answer mixed up, none lost, turns in a fair order; the first
sentence with and without an ingest beside it, and through the service against the Python call.

python -m benchmarks.service [--seconds 300] [--people 20]

Each person has a group and documents of their own, with figures that stand nowhere else. Whoever gets another's figure,
or none, is counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvicorn

from benchmarks.table import Row, print_rows
from ragapp import RagApp, Settings
from ragapp.serve.app import build_app, build_house
from ragapp.serve.house import House
from ragapp.serve.wire import configured

LOCKERS = 5
"""Documents of each person, one question to each."""
TURNS = 12
"""Questions through the service and through Python, in turns."""


@dataclass(slots=True)
class Person:
    name: str
    token: str
    codes: dict[str, str]
    """Locker → the code in its document."""


@dataclass(slots=True)
class Outcome:
    """What one person's questions came to."""

    right: int = 0
    mixed_up: int = 0
    not_found: int = 0
    lost: int = 0
    refused: int = 0
    first_s: list[float] = field(default_factory=list)
    whole_s: list[float] = field(default_factory=list)


@contextmanager
def served(data: Path) -> Iterator[tuple[str, House]]:
    """A service in this process, so that the Python call can be measured beside it."""
    with RagApp(Settings(data=data, serve={"queue": 1000})) as rag, socket.create_server(("127.0.0.1", 0)) as opened:
        house = build_house(rag)
        server = uvicorn.Server(configured(build_app(house), house.connections))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]})
        thread.start()
        url = f"http://127.0.0.1:{opened.getsockname()[1]}"
        try:
            while httpx.get(f"{url}/health/ready").status_code != 200:
                time.sleep(0.2)
            yield url, house
        finally:
            server.should_exit = True
            thread.join()


def move_in(house: House, count: int, folder: Path) -> list[Person]:
    """People with a group, a token and documents each."""
    random_ = random.Random(7)
    people = []
    codes = random_.sample(range(10_000, 100_000), count * LOCKERS)
    for number in range(count):
        name = f"person{number:02}"
        own = folder / name
        own.mkdir(parents=True)
        held = {}
        for locker in range(LOCKERS):
            code = str(codes.pop())
            label = "ABCDEFGH"[locker]
            held[label] = code
            (own / f"locker-{label}.md").write_text(
                f"# Locker {label} of {name}\n\nThe code of locker {label} is {code}. It was changed in spring.\n"
            )
        house.rag.ingest(own, collection=name, groups=[name])
        person = house.catalog.people.add(name, groups=[name])
        token, _ = house.catalog.credentials.add_token(person.id, "load", ["ask"], None)
        people.append(Person(name, token, held))
    return people


async def first_sentence(
    client: httpx.AsyncClient, url: str, token: str, question: str
) -> tuple[float, float, str, str]:
    """Seconds to the first sentence and to the end, the state, and the text."""
    began = time.monotonic()
    first = 0.0
    state, text = "lost", ""
    headers = {"authorization": f"Bearer {token}"}
    body = {"question": question, "stream": True}
    async with client.stream("POST", f"{url}/v1/answers", json=body, headers=headers) as response:
        if response.status_code == 429:
            return 0.0, 0.0, "refused", ""
        async for name, data in _events(response):
            if name == "sentence" and not first:
                first = time.monotonic() - began
            if name in ("done", "error"):
                state, text = data["state"], data.get("answer", "")
    return first, time.monotonic() - began, state, text


async def _events(response: httpx.Response) -> AsyncIterator[tuple[str, dict[str, str]]]:
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


async def keep_asking(person: Person, others: set[str], url: str, until: float, outcome: Outcome) -> None:
    """One question after the other, as somebody would who never thinks."""
    random_ = random.Random(person.name)
    async with httpx.AsyncClient(timeout=300) as client:
        while time.monotonic() < until:
            locker = random_.choice(list(person.codes))
            try:
                first, whole, state, text = await first_sentence(
                    client, url, person.token, f"What is the code of locker {locker}?"
                )
            except httpx.HTTPError:
                outcome.lost += 1
                continue
            if any(code in text for code in others):
                outcome.mixed_up += 1
            elif person.codes[locker] in text:
                outcome.right += 1
                outcome.first_s.append(first)
                outcome.whole_s.append(whole)
            elif state == "refused":
                outcome.refused += 1
                await asyncio.sleep(1)
            elif state == "lost" or state == "failed":
                outcome.lost += 1
            else:
                outcome.not_found += 1


async def crowd(people: list[Person], url: str, seconds: float) -> dict[str, Outcome]:
    """All people at once for so long."""
    outcomes = {person.name: Outcome() for person in people}
    every = {code for person in people for code in person.codes.values()}
    until = time.monotonic() + seconds
    await asyncio.gather(
        *(
            keep_asking(person, every - set(person.codes.values()), url, until, outcomes[person.name])
            for person in people
        )
    )
    return outcomes


def share(values: list[float], part: float) -> float:
    """The value that this part of the values doesn't exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(part * (len(ordered) - 1)))] if ordered else 0.0


def fairness(outcomes: dict[str, Outcome]) -> float:
    """Jain's index over the questions answered for each person: 1 where all got as many."""
    got = [len(outcome.first_s) + outcome.not_found for outcome in outcomes.values()]
    return sum(got) ** 2 / (len(got) * sum(count * count for count in got)) if any(got) else 0.0


def told(label: str, outcomes: dict[str, Outcome]) -> list[float]:
    """Print one crowd's figures; returns the seconds to the first sentence."""
    counts: Counter[str] = Counter()
    for outcome in outcomes.values():
        for name in ("right", "not_found", "mixed_up", "lost", "refused"):
            counts[name] += getattr(outcome, name)
    first = [value for outcome in outcomes.values() for value in outcome.first_s]
    whole = [value for outcome in outcomes.values() for value in outcome.whole_s]
    print(
        f"{label}: {dict(counts)}; first sentence p50 {share(first, 0.5):.2f} s, p95 {share(first, 0.95):.2f} s; whole "
        f"p95 {share(whole, 0.95):.2f} s; fairness (Jain) {fairness(outcomes):.3f}",
        file=sys.stderr,
        flush=True,
    )
    return first


async def beside_python(house: House, url: str, person: Person) -> tuple[float, float]:
    """Median seconds to the first sentence through the service and through the Python call, in turns."""
    through, direct = [], []
    account = house.catalog.people.find(name=person.name)
    assert account
    async with httpx.AsyncClient(timeout=300) as client:
        for turn in range(TURNS + 2):
            locker = "ABCDE"[turn % LOCKERS]
            question = f"What is the code of locker {locker}?"
            first, *_ = await first_sentence(client, url, person.token, question)
            began = time.monotonic()
            spoke = await asyncio.to_thread(_first_of_python, house, question, account.principal, began)
            # the first two of each warm caches up
            if turn >= 2:
                through.append(first)
                direct.append(spoke)
    return statistics.median(through), statistics.median(direct)


def _first_of_python(house: House, question: str, principal: object, began: float) -> float:
    from ragapp.answer.events import SentenceReady

    first = 0.0
    for event in house.rag.stream(question, principal=principal):  # type: ignore[arg-type]
        if isinstance(event, SentenceReady) and not first:
            first = time.monotonic() - began
    return first


def filler(folder: Path) -> Path:
    """Enough text to keep an ingest busy for as long as people ask."""
    words = Path(__file__).read_text(encoding="utf-8").split()
    random_ = random.Random(3)
    for number in range(1500):
        text = "\n\n".join(" ".join(random_.choices(words, k=120)) for _ in range(40))
        path = folder / f"filler-{number:03}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def measure(seconds: float, count: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as made, served(Path(made) / "data") as (url, house):
        people = move_in(house, count, Path(made) / "people")
        through, direct = asyncio.run(beside_python(house, url, people[0]))
        alone = asyncio.run(crowd(people, url, seconds))
        first = told(f"{count} people, {seconds:g} s", alone)
        job = house.rag.intake.note_paths([filler(Path(made) / "filler")], "filler", frozenset({"nobody"}))
        house.work.add(job)
        beside = asyncio.run(crowd(people, url, seconds))
        row, progress = house.catalog.jobs.job(job), house.work.progress(job)
        ended = row is None or row.state != "running"
        label = f"the same beside an ingest ({progress.chunks if progress else 0} chunks meanwhile)"
        beside_first = told(f"{label}, which ended early" if ended else label, beside)
        house.catalog.jobs.cancel(job)
    wrong = sum(outcome.mixed_up + outcome.lost for outcome in (*alone.values(), *beside.values()))
    answered = sum(outcome.right + outcome.not_found for outcome in (*alone.values(), *beside.values()))
    return [
        Row(
            "first sentence, service to Python call", f"{through * 1000:.0f} ms", f"{direct * 1000:.0f} ms",
            through / direct, "≤ 1.15",
        ),
        Row(
            f"first sentence p95 of {count} people for {seconds:g} s, beside an ingest to alone",
            f"{share(beside_first, 0.95):.2f} s", f"{share(first, 0.95):.2f} s",
            share(beside_first, 0.95) / share(first, 0.95), "≤ 2",
        ),
        Row(f"answers mixed up or lost, {count} people, {answered} answers", str(wrong), "0", float(wrong), "≤ 0"),
        Row("fairness among them (Jain's index)", f"{fairness(alone):.3f}", "1", fairness(alone), "≥ 0.95"),
    ]  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="each with and without an ingest")
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    print_rows(lambda: measure(given.seconds, given.people))
