"""What verify found, mended without losing anything: copies are made anew from what they are copies of."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ingest.pipeline.report import IngestReport
from ingest.read.parse import PARSER_VERSION, parse
from ragapp.access import Scope
from ragapp.catalog import added_texts
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles, sha256_of
from ragapp.catalog.rows import DocumentRow
from ragapp.doctor.rights import close_to_others
from ragapp.doctor.verify import Difference, Findings, parsed_by
from ragapp.errors import CatalogError, Unreadable
from ragapp.index.base import Index

Renew = Callable[[], IngestReport]
"""Makes the documents anew that are marked as stale, from their originals."""


@dataclass(frozen=True, slots=True)
class Unmended:
    """What could not be mended, and what to do about it."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done."""

    mended: tuple[str, ...]
    unmended: tuple[Unmended, ...]


def repair(
    findings: Findings, catalog: Catalog, index: Index, files: DocumentFiles, renew: Renew, max_text_bytes: int
) -> Repair:
    """Mend what differs; run `verify` again to see that nothing does.

    Originals come back from the files they were read from, text from originals, chunks through ingestion itself. Of
    a text that a program added, original and text come back from each other, or from its chunk, and the chunk doesn't.
    What nobody needs is deleted. Raises CatalogError while a job runs, whose unfinished work looks like leftovers.
    """
    if running := [job.id for job in catalog.jobs.list(100) if job.state == "running"]:
        raise CatalogError(f"Job {running[0]} is running; wait for its end, or `ragapp jobs cancel {running[0]}`.")
    mended: list[str] = []
    unmended: list[Unmended] = []
    _close(findings, mended, unmended)
    _added_texts(findings, catalog, index, files, mended)
    lost = _originals(findings, catalog, files, mended, unmended)
    _mend_index(findings, catalog, index, mended)
    again = _texts(findings, catalog, files, lost, mended, unmended, max_text_bytes)
    for found in findings.of("missing chunks", "wrong payload"):
        again.setdefault(found.document_id, found.name)
    again = {key: name for key, name in again.items() if _can_be_made(key, name, catalog, lost, unmended)}
    if again:
        catalog.mark_stale(again)
        failed = {failure.source: failure.reason for failure in renew().failed}
        for name in again.values():
            if reason := failed.get(name):
                unmended.append(Unmended(name, f"could not be made anew ({reason})"))
            else:
                mended.append(f"{name}: made anew from its original")
    _clear(findings, mended)
    return Repair(tuple(mended), tuple(unmended))


def _added_texts(findings: Findings, catalog: Catalog, index: Index, files: DocumentFiles, mended: list[str]) -> None:
    """Keep texts anew that a program added, from whatever still has them; what has none is left to `_originals`."""
    wrong = findings.of("lost originals", "damaged originals", "lost text", "damaged text")
    for row in filter(added_texts.is_added, _rows(wrong, catalog)):
        text = next((text for text in _texts_left(row, index, files) if _is_of(row, text)), None)
        if text is not None:
            added_texts.keep_original(files, text)
            added_texts.keep_text(files, row.sha256, parsed_by(row), text, row.title)
            mended.append(f"{row.source}: the text that a program added was kept anew")


def _texts_left(row: DocumentRow, index: Index, files: DocumentFiles) -> Iterator[str]:
    """What original, extracted text and chunk say of an added text, whether it is right or not."""
    with suppress(OSError, UnicodeDecodeError):
        yield added_texts.text_of(files.original(row.sha256).read_bytes())
    if extracted := files.extracted(row.sha256, parsed_by(row)):
        yield extracted.text
    for hit in index.chunks(row.id, row.revision, [0], Scope(row.groups)):
        yield hit.payload["text"]


def _is_of(row: DocumentRow, text: str) -> bool:
    return sha256(added_texts.original_bytes(text)).hexdigest() == row.sha256


def _originals(
    findings: Findings, catalog: Catalog, files: DocumentFiles, mended: list[str], unmended: list[Unmended]
) -> set[str]:
    """Bring originals back from where they came from; returns the hashes of those that are lost."""
    lost: set[str] = set()
    rows = _rows(findings.of("lost originals", "damaged originals"), catalog)
    rows = [row for row in rows if not (added_texts.is_added(row) and _has_bytes(files.original(row.sha256), row))]
    back: set[str] = set()
    for row in rows:
        if row.sha256 not in back and _has_bytes(Path(row.source), row):
            files.keep_original(Path(row.source))
            back.add(row.sha256)
            mended.append(f"{row.source}: its original was copied again from the file")
    for row in rows:
        if row.sha256 not in back:
            lost.add(row.sha256)
            unmended.append(Unmended(row.source, _what_to_do(row)))
    return lost


def _has_bytes(path: Path, row: DocumentRow) -> bool:
    """Whether the file that the document was read from is there and still the same."""
    try:
        return path.is_absolute() and path.is_file() and sha256_of(path) == row.sha256
    except OSError:
        return False


def _what_to_do(row: DocumentRow) -> str:
    if row.origin:
        way = f"ragapp sync run {row.origin}"
    elif row.container:
        way = "ingest the file again that it lies in"
    elif added_texts.is_added(row):
        way = "let the program that added it as text add it again"
    else:
        way = f"put the file back and type: ragapp ingest '{row.source}'"
    return (
        f"its original is lost and the file it was read from is gone or another one; it goes on answering. {way}, or "
        f"ragapp remove {row.id}, or restore a backup"
    )


def _mend_index(findings: Findings, catalog: Catalog, index: Index, mended: list[str]) -> None:
    strangers = findings.of("chunks of no document", "chunks of dead revisions", "foreign chunks")
    index.delete_chunks([found.point_id for found in strangers])
    if strangers:
        mended.append(f"{len(strangers)} chunks that belong to no live revision were deleted")
    wrong = _rows(findings.of("wrong groups"), catalog)
    for row in wrong:
        index.set_groups(row.id, row.groups)
        mended.append(f"{row.source}: its chunks carry the groups {', '.join(sorted(row.groups))} again")
    if strangers or wrong:
        index.flush()


def _texts(
    findings: Findings,
    catalog: Catalog,
    files: DocumentFiles,
    lost: set[str],
    mended: list[str],
    unmended: list[Unmended],
    max_text_bytes: int,
) -> dict[str, str]:
    """Read originals again whose text is gone; returns the documents that another parser made, to be renewed."""
    again: dict[str, str] = {}
    for row in _rows(findings.of("lost text", "damaged text"), catalog):
        if row.sha256 in lost or added_texts.is_added(row):
            continue
        if parsed_by(row) != PARSER_VERSION:
            again[row.id] = row.source
            continue
        try:
            extracted = parse(files.original(row.sha256), name=Path(row.source).name, max_text_bytes=max_text_bytes)
        except Unreadable as error:
            unmended.append(Unmended(row.source, f"its original can't be read any more ({error}); ingest it again"))
            continue
        files.keep_extracted(row.sha256, PARSER_VERSION, extracted)
        mended.append(f"{row.source}: its text was made anew")
    return again


def _can_be_made(key: str, name: str, catalog: Catalog, lost: set[str], unmended: list[Unmended]) -> bool:
    row = catalog.document(key)
    if row is None:
        return False
    if row.sha256 in lost:
        unmended.append(Unmended(name, "its chunks can't be made anew without its original"))
        return False
    if added_texts.is_added(row):
        # ingestion would read it as a file, and lose the metadata and that it was added
        unmended.append(
            Unmended(
                name,
                "its chunk is lost or wrong, and so is the metadata that a program added it with; let the program add "
                f"it again, or ragapp remove {row.id}",
            )
        )
        return False
    return True


def _close(findings: Findings, mended: list[str], unmended: list[Unmended]) -> None:
    for found in findings.of("open to others"):
        assert found.path is not None
        try:
            close_to_others(found.path)
        except OSError as error:
            unmended.append(
                Unmended(
                    found.name, f"others may get into it, and that can't be changed ({error.strerror}); its owner can"
                )
            )
        else:
            mended.append(f"{found.name}: only its owner gets into it now")


def _clear(findings: Findings, mended: list[str]) -> None:
    for found in findings.of("originals of no document", "text of no document", "temporary files"):
        if found.path is None:
            continue
        if found.path.is_dir() and not found.path.is_symlink():
            shutil.rmtree(found.path, ignore_errors=True)
        else:
            found.path.unlink(missing_ok=True)
        mended.append(f"{found.path}: deleted, nobody needs it")


def _rows(found: Iterable[Difference], catalog: Catalog) -> list[DocumentRow]:
    ids = dict.fromkeys(difference.document_id for difference in found)
    return [row for row in map(catalog.document, ids) if row]
