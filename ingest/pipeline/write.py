"""From chunks to documents that can be found: embedded, written, flushed, then committed one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath

from ingest.pipeline.prepare import failed, note_kept
from ingest.pipeline.reading import Piece
from ingest.pipeline.report import Outcome
from ingest.pipeline.run import FoundFile, Prepared, Run
from ingest.pipeline.versions import parsed_by
from ragapp.catalog.commits import RemovedMeanwhile
from ragapp.catalog.rows import DocumentRow
from ragapp.errors import NobodyChosen
from ragapp.index.base import Point, SparseVector, Vector
from ragapp.index.follow import follow
from ragapp.index.schema import payload, text_hash
from ragapp.types import Chunk

WINDOW = 256
"""Chunks that are embedded and written together: enough to sort by length, few enough to show progress."""
FEW = 64
"""Chunks that are worth embedding before a window is full, where the readers are behind."""
AT_ONCE = 64
"""Chunks that are embedded between two looks at whether somebody waits for an answer."""

_Place = tuple[Prepared, Piece]
"""A document and one of its chunks."""


def write_all(coming: Iterable[Prepared | None], run: Run) -> None:
    """Embed and write in windows across documents; commit each document once its last chunk was flushed."""
    window: list[_Place] = []
    complete: list[Prepared] = []

    def write_out() -> None:
        if window:
            _write(window, run)
            window.clear()
        _commit(complete, run)

    for document in coming:
        if run.order.stop and run.order.stop():
            # what is in the index of documents that were not committed goes with the leftovers of the next run
            break
        if document is None:
            if len(window) >= FEW:
                write_out()
            continue
        for piece in document.pieces():
            window.append((document, piece))
            if len(window) == WINDOW:
                write_out()
                if run.order.stop and run.order.stop():
                    return
        complete.append(document)
    write_out()


def _write(window: Sequence[_Place], run: Run) -> None:
    parts = run.parts
    chunks = [_chunk(document, piece) for document, piece in window]
    texts = {text_hash(c.embedded_text): c.embedded_text for c in chunks}
    vectors = parts.index.vectors(list(texts))
    missing = {key: text for key, text in texts.items() if key not in vectors}
    for part in _turns(missing, run):
        if run.order.give_way:
            run.order.give_way()
        vectors |= dict(zip(part, parts.dense.encode(list(part.values())), strict=True))
    sparse = parts.bm25.encode_documents([c.searched_text for c in chunks])
    points = [
        _point(document, piece, chunk, vectors, words, run)
        for (document, piece), chunk, words in zip(window, chunks, sparse, strict=True)
    ]
    parts.index.upsert(points)
    run.tally.wrote(len(points), len(missing))


def _turns(missing: dict[str, str], run: Run) -> Iterator[dict[str, str]]:
    """What is to be embedded at once: all of it, or where others go first, little at a time, of like length."""
    if missing and not run.order.give_way:
        yield missing
        return
    longest_first = sorted(missing.items(), key=lambda each: -len(each[1]))
    for start in range(0, len(longest_first), AT_ONCE):
        yield dict(longest_first[start : start + AT_ONCE])


def _chunk(document: Prepared, piece: Piece) -> Chunk:
    return replace(piece.chunk, document_id=document.document_id, revision=document.revision)


def _point(
    document: Prepared, piece: Piece, chunk: Chunk, vectors: dict[str, Vector], sparse: SparseVector, run: Run
) -> Point:
    kept = payload(
        chunk,
        gap=piece.gap,
        page_starts=piece.page_starts,
        source=document.file.source,
        title=document.read.title,
        collection=run.order.collection,
        groups=document.groups,
        file_type=_file_type(document.file),
        modified=document.file.modified,
        dated=document.read.dated,
    )
    return Point(chunk.point_id, vectors[kept["text_hash"]], sparse, kept)


def _row(document: Prepared, run: Run) -> DocumentRow:
    read = document.read
    return DocumentRow(
        id=document.document_id,
        collection=run.order.collection,
        source=document.file.source,
        revision=document.revision,
        sha256=document.sha256,
        size=document.size,
        title=read.title,
        file_type=_file_type(document.file),
        chunks=read.chunks,
        groups=document.groups,
        parser="ragapp",
        parser_version=parsed_by(read.version),
        modified=document.file.modified,
        dated=read.dated,
        language=read.language,
        pages=read.pages,
        origin=run.order.origin,
        fingerprint=document.file.fingerprint,
        container=document.file.container,
    )


def _file_type(file: FoundFile) -> str:
    return PurePath(file.name).suffix.lower().lstrip(".")[:32]


def _commit(complete: list[Prepared], run: Run) -> None:
    """Make documents live whose chunks all stand, then collect the chunks of their dead revisions."""
    if not complete:
        return
    catalog, index = run.parts.catalog, run.parts.index
    index.flush()
    behind = False
    for document in complete:
        replaces, lost = document.file.replaces, _lost(document, run)
        try:
            row = catalog.commit_document(
                _row(document, run), replaces=replaces, loses=[row.id for row in lost], grant=document.grant
            )
        except RemovedMeanwhile:
            _withdraw(document, run)
            continue
        except NobodyChosen as error:
            _refuse(document, run, str(error))
            continue
        behind = behind or row.groups != document.groups or bool(document.holds)
        if replaces:
            index.delete_document(replaces)
            behind = True
        if document.revision > 1:  # also of a new one: a crash may have left chunks of revisions that never were live
            index.delete_document(document.document_id, keep_revision=document.revision)
        run.let_go(document.sha256)
        outcome: Outcome = "added" if document.is_new and not replaces else "changed"
        kept = note_kept(row.id, row.source, row.groups, document.grant, run)
        run.tally.file_done(document.file.source, outcome, kept)
        if lost:
            follow(catalog, index, run.parts.files)
        for row in lost:
            run.tally.file_done(row.source, "removed")
    if behind:
        follow(catalog, index, run.parts.files)
    complete.clear()


def _lost(document: Prepared, run: Run) -> tuple[DocumentRow, ...]:
    """What lay in a container before, under its old name if it was moved, and lies in it no more."""
    catalog = run.parts.catalog
    lost: dict[str, DocumentRow] = {}
    for container in filter(None, (document.document_id, document.file.replaces)):
        for row in catalog.documents(container=container):
            if row.id not in document.holds:
                lost |= {each.id: each for each in catalog.with_members(row.id)}
    return tuple(lost.values())


def _withdraw(document: Prepared, run: Run) -> None:
    """Somebody took the document away while it was read: it stays away, and so does what lies in it."""
    # of a run that began after the removal some chunks may stand already
    newest = run.parts.catalog.removals.newest([document.document_id])
    inside = _take_back(document, newest[document.document_id], run)
    for source in (document.file.source, *(row.source for row in inside)):
        run.tally.file_done(source, "removed")


def _refuse(document: Prepared, run: Run, reason: str) -> None:
    """Nobody chose who may see a new document, and others came to the house while it was read: it is not in, and what
    lies in it is no more."""
    for row in _take_back(document, None, run):
        run.tally.file_done(row.source, "removed")
    failed(document.file, run, reason, later=True)


def _take_back(document: Prepared, keep_revision: int | None, run: Run) -> list[DocumentRow]:
    """Take away what was written for a document that does not come in; returns what lay in it and goes too."""
    catalog, index = run.parts.catalog, run.parts.index
    index.delete_document(document.document_id, keep_revision=keep_revision)
    inside = [
        row for each in catalog.documents(container=document.document_id) for row in catalog.with_members(each.id)
    ]
    catalog.removals.take_away([row.id for row in inside])
    follow(catalog, index, run.parts.files)
    run.let_go(document.sha256, unused=True)
    return inside
