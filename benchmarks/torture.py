"""Kills a sync at random points of its work, changes the files in between, and compares what is in with a sync that was
never disturbed: documents, chunks, payload, and the answers of fifty searches.

python -m benchmarks.torture [--rounds 50] [--seed N] [--power-cut]
python -m benchmarks.torture rights [--tries 10000] [--seed N]

The process that syncs tells each thing that it writes; it is killed from outside (SIGKILL) after a random number of
them and some milliseconds, before its run ends: a run that came to its end is no round.

With --power-cut, all that the index was told and had not flushed is thrown away at each kill, as a power cut would: the
run goes on from a copy of the index that was taken when its last flush returned. The catalog commits with a sync of its
own, so what it holds at the kill is what would be there after one.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from benchmarks.house import SOURCE, opened
from ragapp.access import LOCAL, scope
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.index.edge import EdgeIndex

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "documents"
OTHERS = ("rights",)
"""Tortures of another kind, each a module beside this one."""
SEARCHES = 50
_TOLD: tuple[tuple[type, str], ...] = (
    (EdgeIndex, "upsert"),
    (EdgeIndex, "flush"),
    (EdgeIndex, "delete_document"),
    (EdgeIndex, "optimize"),
    (DocumentFiles, "keep_original"),
    (DocumentFiles, "forget"),
)
"""What is told before and after it is done, besides every commit of the catalog."""
_LATER_S = 0.03
"""Up to so long after what was told the kill comes, so that it falls into the middle of things."""


@dataclass(frozen=True, slots=True)
class Room:
    """The folders of one torture."""

    folder: Path
    power_cut: bool

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def documents(self) -> Path:
        return self.folder / "documents"

    @property
    def durable(self) -> Path | None:
        """Copies of the index as it was at each flush."""
        return self.folder / "durable" if self.power_cut else None

    @property
    def temporary(self) -> Path:
        """Where the killed processes put their temporary files."""
        return self.folder / "temporary"


# the process that is killed


def sync(data: Path, documents: Path, telling: int, durable: Path | None) -> None:
    """One run that tells what it writes, a byte at a time, through the file descriptor `telling`."""
    _tell_everything(lambda: os.write(telling, b"."))
    if durable:
        _copy_at_each_flush(durable)
    with opened(data, documents) as house:
        house.intake.sync(SOURCE, remove_gone=True)


def _tell_everything(tell: Callable[[], object]) -> None:
    def told(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            tell()
            done = real(*arguments, **named)
            tell()
            return done

        return call

    for owner, name in _TOLD:
        setattr(owner, name, told(getattr(owner, name)))
    event.listen(Engine, "commit", lambda _: tell())


def _copy_at_each_flush(durable: Path) -> None:
    real = EdgeIndex.flush

    def flush(index: EdgeIndex) -> None:
        real(index)
        durable.mkdir(exist_ok=True)
        # of its own name: the copying of a killed process may go on for a moment
        draft = durable / f"draft-{os.getpid()}-{time.monotonic_ns()}"
        _copy(index.folder, draft)
        draft.rename(durable / f"{time.monotonic_ns():020d}")

    EdgeIndex.flush = flush  # type: ignore[method-assign]


def _copy(source: Path, target: Path) -> None:
    """Sparse files stay sparse: a shard's maps are mostly holes."""
    subprocess.run(["cp", "-r", "--sparse=always", str(source), str(target)], check=True, stderr=subprocess.DEVNULL)


# the files, and what happens to them


def first_documents(documents: Path, chance: random.Random) -> None:
    """Some of the examples, an archive, and a file that can't be read."""
    documents.mkdir()
    files = sorted(path for path in EXAMPLES.rglob("*") if path.is_file() and path.stat().st_size < 200_000)
    for path in chance.sample(files, min(24, len(files))):
        shutil.copy(path, documents / path.name)
    (documents / "broken.pdf").write_bytes(b"\x00\x01 no pdf")
    (documents / "notes.zip").write_bytes(_archive(chance))


def change(documents: Path, chance: random.Random) -> None:
    """Some files come, some change, some go, some are renamed; archives gain and lose members."""
    for number in range(chance.randint(4, 9)):
        files = sorted(path for path in documents.rglob("*") if path.is_file())
        path = chance.choice(files)
        kind = chance.choice(("add", "edit", "edit", "pack", "delete", "rename"))
        texts = [file for file in files if file.suffix in (".md", ".txt", ".csv")]
        if kind == "add" or (kind == "delete" and len(files) <= 12):
            (documents / f"note{chance.randrange(10**6):06d}-{number}.md").write_text(_note(chance))
        elif kind == "edit" and texts:
            edited = chance.choice(texts)
            edited.write_text(edited.read_text(encoding="utf-8") + "\n" + _note(chance), encoding="utf-8")
        elif kind == "pack":
            (documents / chance.choice(("notes.zip", "more.zip"))).write_bytes(_archive(chance))
        elif kind == "delete":
            path.unlink()
        elif kind == "rename":
            path.rename(path.with_name(f"r{chance.randrange(10**6):06d}{path.suffix}"))


def _archive(chance: random.Random) -> bytes:
    """Some of eight members, so that each change adds, edits and removes some."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for number in chance.sample(range(8), chance.randint(1, 5)):
            archive.writestr(f"member{number}.md", _note(chance))
    return whole.getvalue()


def _note(chance: random.Random) -> str:
    words = ("pump", "valve", "seal", "boiler", "office", "invoice", "holiday", "crane", "audit", "north", "contract")
    lines = [" ".join(chance.choices(words, k=9)) + f" no {chance.randrange(10**5)}." for _ in range(6)]
    return f"# Note {chance.randrange(10**6)}\n\n" + "\n\n".join(lines) + "\n"


# what is in afterwards


def picture(data: Path, documents: Path, chance: random.Random) -> dict[str, Any]:
    """All that a reader could see, without the numbers of revisions, and what should not be there."""
    with opened(data, documents) as house:
        parts = house.parts
        rows = [row for row in parts.catalog.documents() if row.state == "live"]
        everything = scope(LOCAL)
        chunks = {
            row.source: [
                {key: value for key, value in hit.payload.items() if key != "revision"}
                for hit in parts.index.chunks(row.id, row.revision, range(row.chunks), everything)
            ]
            for row in rows
        }
        words = sorted({word for pieces in chunks.values() for piece in pieces for word in piece["text"].split()})
        queries = [" ".join(chance.sample(words, 4)) for _ in range(SEARCHES)]
        seen = {
            "documents": [(r.source, r.sha256, r.title, r.chunks, sorted(r.groups), r.reason) for r in rows],
            "failed": [(row.source, row.reason) for row in parts.catalog.documents(state="failed")],
            "chunks": chunks,
            "count": parts.index.count(),
            "answers": {q: sorted((p.source, p.start, p.end) for p in house.search(q)) for q in queries},
            "needed by nobody": sorted(k.sha256 for k in parts.files.kept() if not parts.catalog.uses(k.sha256)),
            "lost": sorted(row.source for row in rows if not parts.files.original(row.sha256).is_file()),
            "left over": sorted(path.name for path in (data / "scratch").iterdir()),
        }
    return json.loads(json.dumps(seen))  # type: ignore[no-any-return]


def differences(ours: Any, wanted: Any, where: str = "") -> Iterator[str]:
    """Where two pictures differ, as deep down as can be told."""
    if isinstance(ours, dict) and isinstance(wanted, dict):
        for key in sorted({*ours, *wanted}):
            yield from differences(ours.get(key), wanted.get(key), f"{where}/{key}")
    elif isinstance(ours, list) and isinstance(wanted, list) and len(ours) == len(wanted):
        for number, (one, other) in enumerate(zip(ours, wanted, strict=True)):
            yield from differences(one, other, f"{where}/{number}")
    elif ours != wanted:
        yield f"{where}: {json.dumps(ours)[:300]} and not {json.dumps(wanted)[:300]}"


# rounds


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a torture came to."""

    killed: int
    faults: tuple[str, ...]
    """What differs in the end from an undisturbed run, and what was left behind, in words."""


def torture(rounds: int, seed: int, power_cut: bool, tell: Callable[[str], None] = lambda _: None) -> Outcome:
    """Kill so many runs, let one end, and compare."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="ragapp-torture-") as folder:
        room = Room(Path(folder), power_cut)
        room.temporary.mkdir()
        first_documents(room.documents, chance)
        writes = _undisturbed(room, room.folder / "measured")
        killed = 0
        while killed < rounds:
            told, inside = _killed(room, chance.randrange(1, writes), chance.uniform(0, _LATER_S))
            if inside:
                killed += 1
                tell(f"round {killed} of {rounds}, killed after {told} writes")
            else:
                writes = max(2, told)
            change(room.documents, chance)
        _undisturbed(room, room.data)
        _undisturbed(room, room.folder / "calm")
        pictures = [picture(room.folder / name, room.documents, random.Random(seed)) for name in ("data", "calm")]
        return Outcome(killed, (*differences(*pictures), *_left_behind(room)))


def _left_behind(room: Room) -> Iterator[str]:
    """Temporary files and processes that outlived those who made them."""
    for path in room.temporary.iterdir():
        yield f"the temporary file {path.name} was left"
    mark = os.fsencode(f"TMPDIR={room.temporary}")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                yield f"a process was left: {(process / 'cmdline').read_bytes()!r}"
        except OSError:
            continue  # it ended meanwhile, or is another person's


def _undisturbed(room: Room, data: Path) -> int:
    """How many writes a run tells that nobody disturbs."""
    with _Run(room, data, None) as run:
        return run.rest()


def _killed(room: Room, after: int, later_s: float) -> tuple[int, bool]:
    """Run, and kill after so many writes and seconds; with a power cut, go back to what one would have left.

    Returns how many writes were told, and whether the kill fell inside the run.
    """
    before = _last_ended(room.data)
    with _Run(room, room.data, room.durable) as run:
        if not run.wait_for(after):
            return run.rest(), False
        time.sleep(later_s)
        run.kill()
        if room.durable:
            _lose_unflushed(room.data, room.durable)
    return run.writes, _last_ended(room.data) == before


def _last_ended(data: Path) -> int:
    """The last job that came to its end; 0 where there is none."""
    catalog = Catalog.open(data)
    try:
        return max((job.id for job in catalog.jobs.list(1000) if job.state == "finished"), default=0)
    finally:
        catalog.close()


class _Run:
    """A run in a process of its own."""

    def __init__(self, room: Room, data: Path, durable: Path | None) -> None:
        self._told, telling = os.pipe()
        command = [sys.executable, "-m", "benchmarks.torture", "--child", str(data), str(room.documents), str(telling)]
        command += ["--durable", str(durable)] if durable else []
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"TMPDIR": str(room.temporary)},
            pass_fds=(telling,),
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(telling)
        self.writes = 0

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        os.close(self._told)

    def wait_for(self, writes: int) -> bool:
        """Whether it tells so many writes before it ends."""
        while self.writes < writes and os.read(self._told, 1):
            self.writes += 1
        return self.writes == writes

    def rest(self) -> int:
        """How many writes it has told when it is done. Raises SystemExit where it fails."""
        while more := os.read(self._told, 4096):
            self.writes += len(more)
        if self.process.wait(timeout=60):
            raise SystemExit("a run failed that nobody killed (what it says stands above)")
        return self.writes

    def kill(self) -> None:
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _lose_unflushed(data: Path, durable: Path) -> None:
    flushed = sorted(durable.glob("[0-9]*"))
    for index in (data / "index").glob("ragapp-*"):
        if index.is_dir():
            shutil.rmtree(index)
            if flushed and index.suffix == "":
                _copy(flushed[-1], index)
    for old in (*flushed[:-1], *durable.glob("draft-*")):
        shutil.rmtree(old, ignore_errors=True)


def main() -> None:
    if sys.argv[1:2] and sys.argv[1] in OTHERS:
        sys.exit(subprocess.call([sys.executable, "-m", f"benchmarks.{sys.argv[1]}", *sys.argv[2:]], cwd=ROOT))
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    arguments.add_argument("--rounds", type=int, default=50)
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments.add_argument("--power-cut", action="store_true")
    arguments.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments.add_argument("--durable", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.child:
        data, documents, telling = given.child
        sync(Path(data), Path(documents), int(telling), given.durable)
        return
    print(f"seed {given.seed}", file=sys.stderr)
    outcome = torture(given.rounds, given.seed, given.power_cut, lambda told: print(told, file=sys.stderr, flush=True))
    for fault in outcome.faults:
        print(fault)
    found = f"{len(outcome.faults)} differences" if outcome.faults else "all as if undisturbed"
    print(f"{outcome.killed} runs killed inside their work: {found}")
    sys.exit(1 if outcome.faults else 0)


if __name__ == "__main__":
    main()
