"""Catalog, index and kept files compared: everything that differs, by kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles, sha256_of
from ragapp.catalog.rows import DocumentRow
from ragapp.doctor.rights import open_to_others
from ragapp.index.base import Index, Stored
from ragapp.types import Chunk

Kind = Literal[
    "missing chunks",
    "chunks of dead revisions",
    "chunks of no document",
    "foreign chunks",
    "wrong groups",
    "wrong payload",
    "lost originals",
    "damaged originals",
    "lost text",
    "damaged text",
    "originals of no document",
    "text of no document",
    "temporary files",
    "open to others",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

_EXAMPLES = 5

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as the catalog says."""

    kind: Kind
    name: str
    """The document's source, or the file's path."""
    document_id: str = ""
    point_id: str = ""
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was compared, and all that differs."""

    documents: int
    chunks: int
    files: int
    differences: tuple[Difference, ...]

    @property
    def whole(self) -> bool:
        return not self.differences

    def of(self, *kinds: Kind) -> tuple[Difference, ...]:
        return tuple(found for found in self.differences if found.kind in kinds)

    def examples(self, kind: Kind) -> tuple[str, ...]:
        """Some names of this kind, each once."""
        return tuple(dict.fromkeys(found.name for found in self.of(kind)))[:_EXAMPLES]


def verify(catalog: Catalog, index: Index, files: DocumentFiles, scratch: Path, say: Say) -> Findings:
    """Compare every live document with its chunks, its original (hashed) and its text, and look for what nobody needs.

    Holds one byte for each chunk in memory. Nobody else may write meanwhile: with a run going on, its unfinished
    chunks count as those of dead revisions.
    """
    live = {row.id: row for row in catalog.documents(state="live")}
    chunks, differences = _compare_index(live, index, say)
    count = 0
    for found in _compare_files(live, catalog, files, scratch, say):
        differences.append(found)
    differences += [Difference("open to others", str(path), path=path) for path in open_to_others(scratch.parent)]
    for _ in files.kept():
        count += 1
    return Findings(len(live), chunks, count, tuple(differences))


def parsed_by(row: DocumentRow) -> str:
    """The version of the parser, as extracted text is kept under, that made a document."""
    return row.parser_version.split(".")[0]


def _compare_index(live: Mapping[str, DocumentRow], index: Index, say: Say) -> tuple[int, list[Difference]]:
    seen = {key: bytearray(row.chunks) for key, row in live.items()}
    differences: list[Difference] = []
    count = 0
    for chunk in index.inventory():
        count += 1
        if count % 50_000 == 0:
            say(f"{count} chunks compared")
        row = live.get(chunk.document_id)
        if kind := _fault(chunk, row):
            differences.append(Difference(kind, _name(chunk, row), chunk.document_id, chunk.id))
        if row and _belongs(chunk, row):
            seen[row.id][chunk.ordinal] = 1
    for key, marks in seen.items():
        if not all(marks):
            differences.append(Difference("missing chunks", live[key].source, key))
    return count, differences


def _fault(chunk: Stored, row: DocumentRow | None) -> Kind | None:
    if row is None:
        return "chunks of no document"
    if chunk.revision != row.revision:
        return "chunks of dead revisions"
    if not _belongs(chunk, row):
        return "foreign chunks"
    if chunk.groups != row.groups:
        return "wrong groups"
    if (chunk.source, chunk.collection) != (row.source, row.collection):
        return "wrong payload"
    return None


def _belongs(chunk: Stored, row: DocumentRow) -> bool:
    """Whether it is one of the live revision's own chunks, under the id that such a chunk has."""
    if chunk.revision != row.revision or not 0 <= chunk.ordinal < row.chunks:
        return False
    return chunk.id == Chunk(row.id, row.revision, chunk.ordinal, "", 0, 0).point_id


def _name(chunk: Stored, row: DocumentRow | None) -> str:
    return row.source if row else chunk.source or chunk.id


def _compare_files(
    live: Mapping[str, DocumentRow], catalog: Catalog, files: DocumentFiles, scratch: Path, say: Say
) -> Iterator[Difference]:
    checked: dict[str, Kind | None] = {}
    texts: set[tuple[str, str]] = set()
    for done, row in enumerate(live.values()):
        if done and done % 500 == 0:
            say(f"{done} of {len(live)} documents compared")
        if row.sha256 not in checked:
            checked[row.sha256] = _original_fault(files.original(row.sha256), row.sha256)
        if fault := checked[row.sha256]:
            yield Difference(fault, row.source, row.id, path=files.original(row.sha256))
        if row.chunks:
            texts.add((row.sha256, parsed_by(row)))
            if fault := _text_fault(row, files):
                path = files.extracted_path(row.sha256, parsed_by(row))
                yield Difference(fault, row.source, row.id, path=path)
    # what failed and was kept is needed as long as the catalog names it; what is to be collected is no difference
    needed = catalog.needed() | {sha256 for _, sha256 in catalog.removals.due()}
    for kept in files.kept():
        if kept.kind == "temporary":
            yield Difference("temporary files", str(kept.path), path=kept.path)
        elif kept.kind == "original" and kept.sha256 not in needed:
            yield Difference("originals of no document", str(kept.path), path=kept.path)
        elif kept.kind == "extracted" and (kept.sha256, kept.version) not in texts and kept.sha256 not in needed:
            yield Difference("text of no document", str(kept.path), path=kept.path)
    if scratch.is_dir():
        for path in sorted(scratch.iterdir()):
            yield Difference("temporary files", str(path), path=path)


def _original_fault(path: Path, sha256: str) -> Kind | None:
    try:
        return None if sha256_of(path) == sha256 else "damaged originals"
    except OSError:
        return "damaged originals" if path.exists() else "lost originals"


def _text_fault(row: DocumentRow, files: DocumentFiles) -> Kind | None:
    if not files.extracted_path(row.sha256, parsed_by(row)).is_file():
        return "lost text"
    return "damaged text" if files.extracted(row.sha256, parsed_by(row)) is None else None
