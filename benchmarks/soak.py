"""Two thousand connections that come to nothing, beside ten people who ask: none of them notices.

python -m benchmarks.soak [--connections 2000] [--seconds 120] [--people 10] [--parrot]

The service is a process of its own, as its user starts it; so are those who disturb it, from loopback's many addresses.
Each does one thing over and over: says nothing, sends half a head, half a body, an upload without being signed in, asks
and doesn't read, or comes and goes. What people get to read first is timed before, meanwhile and after, and the
service's memory, descriptors and log are looked at. With --parrot the service says at once what stands in its prompt,
which measures all but the engine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from benchmarks.peaks import MIB
from benchmarks.service import Outcome, Person, crowd, move_in, share
from benchmarks.table import Row, print_rows
from ragapp import RagApp, Settings
from ragapp.app import RagApp as App
from ragapp.serve.app import build_house
from ragapp.serve.run import running

ROOT = Path(__file__).parent.parent
_ADDRESSES = 200
_LONGEST_S = 60.0
"""Of one connection; the service ends it sooner."""
_AFTER_S = 5.0
"""By then all is as before."""
_LOOK_S = 0.5


# those who disturb


@dataclass(slots=True)
class Disturbed:
    """What the connections came to, by kind and by what was read last."""

    begun: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)


Kind = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]


async def _silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> bytes:
    return await reader.read(4096)


async def _half_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"GET /v1/session HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    while not reader.at_eof():
        writer.write(b"x")
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                return await reader.read(4096)
    return b""


async def _half_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(
        b"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n{"
    )
    return await reader.read(4096)


async def _upload(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(
        b"POST /v1/documents HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        b'Content-Length: 90000000\r\n\r\n--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    )
    for _ in range(16):
        writer.write(b"x" * 65536)
        await writer.drain()
    return await reader.read(4096)


async def _deaf(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Asks again and again for the largest page that anybody may see, and reads none of it."""
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    while True:
        writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(1)


async def _comes_and_goes(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"GET / HTTP/1.1\r\n")
    await asyncio.sleep(1)
    return b"left"


KINDS: dict[str, Kind] = {
    "silent": _silent,
    "half a head": _half_head,
    "half a body": _half_body,
    "upload": _upload,
    "deaf": _deaf,
    "comes and goes": _comes_and_goes,
}


async def disturb(url: str, count: int, seconds: float) -> Disturbed:
    """So many connections at any time, for so long; then all are closed."""
    found, until = Disturbed(), time.monotonic() + seconds
    tasks = [asyncio.create_task(_again(url, number, until, found)) for number in range(count)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def _again(url: str, number: int, until: float, found: Disturbed) -> None:
    chance = random.Random(number)
    name = list(KINDS)[number % len(KINDS)]
    source = f"127.0.{1 + number % _ADDRESSES}.{2 + number % 7}"
    # they don't all come in the same moment
    await asyncio.sleep(chance.uniform(0, 3))
    while time.monotonic() < until:
        found.begun[name] += 1
        try:
            said = await _once(url, source, KINDS[name])
        except (OSError, TimeoutError):
            said = b""
        found.told[said.split(b" ", 2)[1].decode("latin-1") if said.startswith(b"HTTP/") else "nothing"] += 1
        await asyncio.sleep(chance.uniform(0.2, 1.5))


async def _once(url: str, source: str, kind: Kind) -> bytes:
    address = urlsplit(url)
    # not wait_for, which loses a cancellation that comes in the same moment as what is waited for
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection(
            address.hostname, address.port, local_addr=(source, 0), limit=4096
        )
    try:
        # where the kernel's queue overflows, one end has a connection of which the other knows nothing
        async with asyncio.timeout(_LONGEST_S):
            return await kind(reader, writer)
    finally:
        writer.transport.abort()


# the service


@dataclass(slots=True)
class Looked:
    """The service's process at one time."""

    memory_mib: float
    descriptors: int
    log_bytes: int


def look(process: psutil.Process, log: Path) -> Looked:
    """Its memory without its children's, its open files, and the length of its logs."""
    logs = sum(path.stat().st_size for path in log.parent.glob(f"{log.name}*"))
    return Looked(process.memory_info().rss / MIB, process.num_fds(), logs)


@contextmanager
def served(data: Path, parrot: bool) -> Iterator[tuple[str, psutil.Process]]:
    """The service in a process of its own, once it answers."""
    command = [sys.executable, "-m", "benchmarks.soak", "--serve", str(data), *(["--parrot"] if parrot else [])]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL)
    try:
        while not (found := running(data)) or httpx.get(f"{found[0]}/health/ready").status_code != 200:
            if process.poll() is not None:
                raise SystemExit("the service ended before it was ready (what it says stands above)")
            time.sleep(0.3)
        yield found[0], psutil.Process(process.pid)
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
            process.wait(timeout=120)


def serve(data: Path, parrot: bool) -> None:
    """What the service's process runs."""
    from ragapp.serve import run

    settings = Settings(data=data, serve={"port": 0})
    with RagApp(settings) as rag:
        if parrot:
            from benchmarks.parrot import let_speak

            let_speak(rag)
        run.serve(rag, lambda said: print(said, file=sys.stderr, flush=True))


@dataclass(slots=True)
class Soaked:
    """All that was seen."""

    before: dict[str, Outcome]
    during: dict[str, Outcome]
    after: dict[str, Outcome]
    looks: dict[str, Looked]
    disturbed: Disturbed
    normal_s: float
    """After the last of the disturbing connections was closed, until descriptors were as before."""


async def soak(
    url: str, process: psutil.Process, log: Path, people: list[Person], count: int, seconds: float, calm_s: float
) -> Soaked:
    """People alone, people beside the crowd, people alone again."""
    looks = {"before": look(process, log)}
    before = await crowd(people, url, calm_s)
    looks["before"] = look(process, log)
    meanwhile = asyncio.create_task(crowd(people, url, seconds))
    peak = asyncio.create_task(_peaks(process, log, seconds))
    disturbed = await _elsewhere(url, count, seconds)
    ended = time.monotonic()
    normal_s = await _as_before(process, looks["before"].descriptors + len(people))
    during, looks["peak"] = await meanwhile, await peak
    await asyncio.sleep(max(0.0, ended + _AFTER_S - time.monotonic()))
    after = await crowd(people, url, calm_s)
    looks["after"] = look(process, log)
    return Soaked(before, during, after, looks, disturbed, normal_s)


async def _as_before(process: psutil.Process, descriptors: int) -> float:
    """Seconds until so few files are open; a minute where they never are."""
    began = time.monotonic()
    for _ in range(600):
        if process.num_fds() <= descriptors:
            break
        await asyncio.sleep(0.1)
    return time.monotonic() - began


async def _elsewhere(url: str, count: int, seconds: float) -> Disturbed:
    """Disturb from a process of its own, whose work isn't the people's."""
    command = [sys.executable, "-m", "benchmarks.soak", "--disturb", url]
    command += ["--connections", str(count), "--seconds", str(seconds)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    said, _ = await process.communicate()
    told = json.loads(said)
    return Disturbed(Counter(told["begun"]), Counter(told["told"]))


async def _peaks(process: psutil.Process, log: Path, seconds: float) -> Looked:
    most, until = look(process, log), time.monotonic() + seconds
    while time.monotonic() < until:
        now = look(process, log)
        most = Looked(
            max(most.memory_mib, now.memory_mib),
            max(most.descriptors, now.descriptors),
            max(most.log_bytes, now.log_bytes),
        )
        await asyncio.sleep(_LOOK_S)
    return most


def firsts(outcomes: dict[str, Outcome]) -> list[float]:
    """Seconds to the first sentence of all people's answers."""
    return [first for outcome in outcomes.values() for first in outcome.first_s]


def lost(outcomes: dict[str, Outcome]) -> int:
    """Answers that weren't, or were another's."""
    return sum(outcome.lost + outcome.refused + outcome.mixed_up for outcome in outcomes.values())


def run(folder: Path, count: int, seconds: float, people: int, parrot: bool, calm_s: float) -> Soaked:
    """The whole of it, in a folder of its own."""
    data = folder / "data"
    with App(Settings(data=data)) as rag:
        moved = move_in(build_house(rag), people, folder / "people")
    with served(data, parrot) as (url, process):
        return asyncio.run(soak(url, process, data / "logs" / "ragapp.log", moved, count, seconds, calm_s))


def measure(count: int, seconds: float, people: int, parrot: bool, calm_s: float) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="ragapp-soak-") as made:
        found = run(Path(made), count, seconds, people, parrot, calm_s)
    for name, seen in found.looks.items():
        print(
            f"{name}: {seen.memory_mib:.0f} MiB, {seen.descriptors} descriptors, log {seen.log_bytes / 1024:.0f} KiB",
            file=sys.stderr,
        )
    print(f"connections begun: {dict(found.disturbed.begun)}; told: {dict(found.disturbed.told)}", file=sys.stderr)
    median = {name: statistics.median(firsts(each) or [float("nan")]) for name, each in _parts(found)}
    last = {name: share(firsts(each), 0.95) for name, each in _parts(found)}
    print(f"first sentence, median: {median}; p95: {last}", file=sys.stderr)
    answers = sum(len(firsts(each)) for _, each in _parts(found))
    wrong = sum(lost(each) for _, each in _parts(found))
    voice = "a parrot" if parrot else "the engine"
    grown = found.looks["peak"].memory_mib - found.looks["before"].memory_mib
    return [
        Row(
            f"first sentence of {people} people ({voice}) beside {count} connections that come to nothing, "
            f"{seconds:g} s, to alone",
            f"{median['during']:.2f} s", f"{median['before']:.2f} s", median["during"] / median["before"], "≤ 2",
        ),
        Row(f"answers lost or refused, of {answers}", str(wrong), "0", float(wrong), "≤ 0"),
        Row(
            "after the last of the connections, until descriptors are as before",
            f"{found.normal_s:.1f} s", f"{_AFTER_S:g} s", found.normal_s / _AFTER_S, "≤ 1",
        ),
        Row(
            f"first sentence from {_AFTER_S:g} s after the last of the connections, to before",
            f"{median['after']:.2f} s", f"{median['before']:.2f} s", median["after"] / median["before"], "≤ 1.3",
        ),
        Row("memory of the service meanwhile, more than before", f"{grown:.0f} MiB", "256 MiB", grown / 256, "≤ 1"),
    ]  # fmt: skip


def _parts(found: Soaked) -> Iterator[tuple[str, dict[str, Outcome]]]:
    yield from (("before", found.before), ("during", found.during), ("after", found.after))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--calm", type=float, default=30, help="seconds before and after in which people are alone")
    parser.add_argument("--parrot", action="store_true", help="without the engine")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--disturb", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.parrot)
    elif given.disturb:
        told = asyncio.run(disturb(given.disturb, given.connections, given.seconds))
        print(json.dumps({"begun": told.begun, "told": told.told}))
    else:
        print_rows(lambda: measure(given.connections, given.seconds, given.people, given.parrot, given.calm))


if __name__ == "__main__":
    main()
