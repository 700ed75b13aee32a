"""Many files, and large ones: what nothing new costs, and whether memory grows with the number of files or their size.

python -m benchmarks.scale

The files are real: the examples, the shared documents where they are there, and what the installed packages bring along
(texts, pages, tables, programs). The cheap embedder takes part, so that a first run costs as little, and a second one
seems as dear, as they could. Each measurement has a process of its own. Memory is what the kernel can't take back: the
index's files are mapped, and come and go with what is free.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.house import SOURCE, opened
from benchmarks.peaks import MIB, Peaks, held
from benchmarks.printed import print_handbook
from benchmarks.table import Row, print_rows
from ingest.fence.fence import Fence
from ingest.pipeline.pipeline import fence_limits
from ingest.pipeline.prepare import prepared
from ingest.pipeline.report import Tally
from ingest.pipeline.run import FoundFile, Order, Run
from ragapp.catalog.scratch import scratch_folder
from ragapp.settings import IngestSettings

ROOT = Path(__file__).parent.parent
OWN = (ROOT / "examples" / "documents", ROOT.parent / "shared" / "data" / "documents")
PACKAGES = Path(sysconfig.get_paths()["purelib"])
MANY, FEW = 2_000, 200
_KINDS = ("md", "txt", "rst", "html", "csv", "xml", "toml", "yaml", "json", "py")
_MOST_BYTES = 100_000
"""Of a package's file; the others are whatever they are."""
TEXT_BYTES = 300_000_000
PAGES, SECTIONS = 2_000, 100
_WORDS = (
    "pump valve seal boiler office invoice holiday crane audit north contract water pressure station the of and".split()
)


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="ragapp-scale-") as folder:
        room = Path(folder)
        files = real_files(MANY)
        # the first hold all the formats and the largest files, so that only the number makes the difference
        small = _run(placed(files[:FEW], room / "few"))
        large = _run(placed(files, room / "many"))
        text = _run(_text(room / "text"), "--reading")
        book = _run(_book(room / "book"), "--reading")
    limit = IngestSettings().worker_memory_mib
    return [
        Row(f"{MANY:,} real files synced again, nothing changed", f"{large['again']:.2f} s",
            f"the first time: {large['first']:.0f} s", large["again"] / large["first"], "≤ 0.02"),
        Row(f"memory of a sync of {MANY:,} files, its readers included", f"{large['together']:.0f} MiB",
            f"of {FEW} of them: {small['together']:.0f} MiB", large["together"] / small["together"], "≤ 1.3"),
        *(
            row
            for name, run in ((f"a text of {TEXT_BYTES // 10**6} MB", text), (f"a PDF of {PAGES:,} pages", book))
            for row in (
                Row(f"memory of a run while it reads {name}, without the reader", f"{run['parent']:.0f} MiB",
                    f"{FEW} files: {small['parent']:.0f} MiB", run["parent"] / small["parent"], "≤ 1.3"),
                Row(f"memory of its reader, which makes {run['chunks']:,.0f} chunks of it", f"{run['worker']:.0f} MiB",
                    f"the default limit: {limit} MiB", run["worker"] / limit, "≤ 1"),
            )
        ),
    ]  # fmt: skip


def real_files(count: int) -> list[Path]:
    """Our own documents, then files of packages: of each kind in turn, always the same ones of one set of packages."""
    own = [path for folder in OWN if folder.exists() for path in sorted(folder.rglob("*")) if path.is_file()]
    packaged = {kind: _packaged(kind) for kind in _KINDS}
    while len(own) < count and packaged:
        for kind in list(packaged):
            path = next(packaged[kind], None)
            if path is None:
                del packaged[kind]
            elif len(own) < count:
                own.append(path)
    return own


def _packaged(kind: str) -> Iterator[Path]:
    for path in sorted(PACKAGES.rglob(f"*.{kind}"), key=_by_chance):
        if path.is_file() and 200 < path.stat().st_size < _MOST_BYTES:
            yield path


def _by_chance(path: Path) -> str:
    """An order that has nothing to do with where files lie."""
    return hashlib.sha256(path.name.encode()).hexdigest() + path.as_posix()


def placed(files: list[Path], folder: Path) -> Path:
    """The folder, with copies of these files under names of their own."""
    folder.mkdir()
    for number, path in enumerate(files):
        shutil.copy(path, folder / f"{number:04d}-{path.name}")
    return folder


def _text(folder: Path) -> Path:
    """A text such as a machine writes: lines of words and figures, an empty line now and then."""
    folder.mkdir()
    chance = random.Random(3)
    lines = [f"{' '.join(chance.choices(_WORDS, k=14))} {chance.randrange(10**6)}.\n" for _ in range(20_000)]
    with (folder / "log.txt").open("w") as file:
        while file.tell() < TEXT_BYTES:
            chance.shuffle(lines)
            file.writelines("\n".join("".join(lines[at : at + 8]) for at in range(0, len(lines), 8)))
    return folder


def _book(folder: Path) -> Path:
    """A handbook, bound to itself as often as it takes."""
    from pypdf import PdfReader, PdfWriter

    folder.mkdir()
    part, book = folder.with_suffix(".pdf"), PdfWriter()
    print_handbook(part, SECTIONS)
    pages = PdfReader(part).pages
    while len(book.pages) < PAGES:
        for page in pages[: PAGES - len(book.pages)]:
            book.add_page(page)
    book.write(folder / "book.pdf")
    return folder


# the process that is measured


def _run(documents: Path, *more: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", *more, "--child", str(documents)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(documents.name, measured, file=sys.stderr, flush=True)
    return measured


def synced_twice(documents: Path) -> dict[str, float]:
    """Seconds of a sync and of the next one, chunks, and the most memory of the first."""
    with opened(documents.with_name(f"{documents.name}-data"), documents) as house:
        with Peaks(held) as peaks:
            began = time.monotonic()
            report = house.intake.sync(SOURCE)
            first = time.monotonic() - began
        began = time.monotonic()
        again = house.intake.sync(SOURCE)
        seconds = time.monotonic() - began
    if again.added or again.changed or not report.added:
        sys.exit(f"{again.added + again.changed} files that had not changed were taken in again")
    return {"first": first, "again": seconds, "chunks": report.chunks, **_memory(peaks)}


def read(documents: Path) -> dict[str, float]:
    """Seconds, chunks and the most memory of reading files as a run does, all but the embedding and the index: what
    these take goes by the number of chunks, whatever they are of."""
    # read whole, not refused for its size
    settings = IngestSettings(max_text_mib=2 * TEXT_BYTES // MIB)
    chunks = 0
    tally = Tally()
    with opened(documents.with_name(f"{documents.name}-data"), documents, settings) as house:
        began = time.monotonic()
        files = [FoundFile(path, str(path)) for path in documents.iterdir()]
        with (
            Peaks(held) as peaks,
            scratch_folder(house.parts.files.scratch) as scratch,
            Fence(fence_limits(settings)) as fence,
            closing(prepared(files, Run(Order(), house.parts, tally, fence, scratch))) as coming,
        ):
            for document in filter(None, coming):
                chunks += sum(1 for _ in document.pieces())
        seconds = time.monotonic() - began
    if tally.failures:
        sys.exit(f"{tally.failures[0].source} {tally.failures[0].reason}")
    return {"first": seconds, "chunks": chunks, **_memory(peaks)}


def _memory(peaks: Peaks) -> dict[str, float]:
    """In MiB."""
    return {"parent": peaks.parent / MIB, "worker": peaks.worker / MIB, "together": peaks.together / MIB}


if __name__ == "__main__":
    if "--child" in sys.argv:
        print(json.dumps((read if "--reading" in sys.argv else synced_twice)(Path(sys.argv[-1]))))
    else:
        print_rows(measure)
