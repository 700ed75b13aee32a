"""The run that takes files in: find → parse → chunk → embed → write → commit.

Reading, parsing and chunking go on beside the embedding, which is the bottleneck on a CPU. A document appears or
changes by one commit of the catalog, after its chunks stand in the index and were flushed; a crash at any moment leaves
work to do again and nothing that a search could see.
"""

from __future__ import annotations

import queue
import threading
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import PurePath

from ingest.chunk import CHUNKER_VERSION, chunk
from ingest.fence import Fence, FenceLimits
from ingest.parse import PARSER_VERSION, parse
from ingest.report import Tally
from ingest.sources import FoundFile
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles, sha256_of
from ragapp.catalog.rows import DocumentRow
from ragapp.embed.dense import DenseEmbedder
from ragapp.embed.sparse import Bm25
from ragapp.errors import PassingFault, Unreadable
from ragapp.index.base import Index, Point, SparseVector, Vector
from ragapp.index.schema import payload, text_hash
from ragapp.settings import IngestSettings
from ragapp.types import EVERYONE, Chunk, Extracted, document_id

WINDOW = 256
"""Chunks that are embedded and written together: enough to sort by length, few enough to show progress."""
BATCH = 32
"""Chunks that are worth embedding before a window is full, where the parser is behind."""
AHEAD = 8
"""Parsed documents that may wait for the embedder, so that memory doesn't grow with the number of files."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run works with, handed in once."""

    catalog: Catalog
    index: Index
    files: DocumentFiles
    dense: DenseEmbedder
    bm25: Bm25
    settings: IngestSettings


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a run: where the documents belong and who may see them."""

    collection: str = "default"
    groups: frozenset[str] | None = None
    """None leaves known documents as they are, and shows new ones to everyone."""
    origin: str = ""
    """The synced source that the files are of."""
    renew_stale: bool = False
    """Make anew what an older parser or chunker made, though its bytes are the same."""
    again: bool = False
    """Read files again though they are unchanged: something in them failed."""
    stop: Callable[[], bool] | None = None
    """Asked between files; what was begun is brought to its end."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A parsed and chunked file that waits to be embedded."""

    file: FoundFile
    document_id: str
    revision: int
    sha256: str
    size: int
    modified: datetime
    extracted: Extracted
    chunks: tuple[Chunk, ...]
    groups: frozenset[str]
    is_new: bool


def run_files(files: Iterable[FoundFile], order: Order, parts: Parts, tally: Tally) -> None:
    """Take in files, a stream of any length; those that fail are rows in the tally and in the catalog.

    Raises StorageFull when the disk is full.
    """
    # closed by name: after a failed write the parser's thread must not go on behind the caller's back
    with Fence(_limits(parts.settings)) as fence, closing(_prepared(files, order, parts, tally, fence)) as prepared:
        _write_all(prepared, order, parts, tally)


def _limits(settings: IngestSettings) -> FenceLimits:
    return FenceLimits(
        memory_mib=settings.worker_memory_mib,
        timeout_s=settings.file_timeout_s,
        timeout_s_per_mib=settings.file_timeout_s_per_mib,
    )


def _prepared(
    files: Iterable[FoundFile], order: Order, parts: Parts, tally: Tally, fence: Fence
) -> Generator[Prepared | None]:
    """Files that need writing, parsed on a thread that stays at most AHEAD documents in front; None while it is behind,
    so that what there is can be embedded meanwhile."""
    ready: queue.Queue[Prepared | BaseException | None] = queue.Queue(AHEAD)
    stop = threading.Event()

    def hand_over(item: Prepared | BaseException | None) -> None:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.2)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            for file in files:
                if stop.is_set() or (order.stop and order.stop()):
                    break
                if item := _prepare(file, order, parts, tally, fence):
                    hand_over(item)
            hand_over(None)
        except BaseException as error:  # noqa: BLE001 - carried to the thread that reads, and raised there
            hand_over(error)

    worker = threading.Thread(target=work, name="ragapp-parse", daemon=True)
    worker.start()
    try:
        while True:
            if ready.empty():
                yield None
            item = ready.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        worker.join()


def _prepare(file: FoundFile, order: Order, parts: Parts, tally: Tally, fence: Fence) -> Prepared | None:
    """One file parsed and chunked; None when it is unchanged or can't be read, which is noted."""
    try:
        with file.fetch() if file.fetch else nullcontext(file.path) as path:
            named = replace(file, path=path, name=file.name or file.path.name)
            return _prepare_local(named, order, parts, tally, fence)
    except PassingFault as error:
        _failed(file, order, parts, tally, str(error), passing=True)
    except Unreadable as error:
        _failed(file, order, parts, tally, str(error))
    except OSError as error:
        stays = isinstance(error, FileNotFoundError | PermissionError)
        _failed(file, order, parts, tally, f"can't be opened ({error.strerror})", passing=not stays)
    return None


def _prepare_local(file: FoundFile, order: Order, parts: Parts, tally: Tally, fence: Fence) -> Prepared | None:
    document = document_id(order.collection, file.source)
    status = file.path.stat()
    if status.st_size > parts.settings.max_file_mib << 20:
        raise Unreadable(f"larger than {parts.settings.max_file_mib} MiB (raise ingest.max_file_mib to take it anyway)")
    known = parts.catalog.document(document)
    if known and _stays(known, order) and known.sha256 == sha256_of(file.path):
        _leave(known, file, order, parts)
        if known.parser_version != _VERSION:
            tally.stale()
        tally.file_done(file.source, "unchanged")
        return None
    sha256 = parts.files.keep_original(file.path)
    extracted = _extracted(file, sha256, parts, fence)
    revision = parts.catalog.next_revision(document)
    chunks = _chunks(extracted, document, revision, parts)
    if not chunks:
        raise Unreadable("holds no text")
    return Prepared(
        file,
        document,
        revision,
        sha256,
        status.st_size,
        datetime.fromtimestamp(status.st_mtime, UTC),
        extracted,
        tuple(chunks),
        file.groups or order.groups or (known.groups if known and known.state == "live" else frozenset({EVERYONE})),
        is_new=known is None or known.state != "live",
    )


def _chunks(extracted: Extracted, document: str, revision: int, parts: Parts) -> list[Chunk]:
    chunks = chunk(
        extracted,
        document_id=document,
        revision=revision,
        count_tokens=parts.dense.count_tokens,
        max_tokens=min(parts.settings.chunk_tokens, parts.dense.max_tokens),
    )
    return [replace(piece, title=extracted.title) for piece in chunks]


def _stays(known: DocumentRow, order: Order) -> bool:
    """Whether a document stays as it is where its bytes are the same."""
    return known.state == "live" and not order.again and not (order.renew_stale and known.parser_version != _VERSION)


def _leave(known: DocumentRow, file: FoundFile, order: Order, parts: Parts) -> None:
    """What is done for an unchanged file: nothing is parsed or embedded, but who may see it can have been asked."""
    if known.reason:
        parts.catalog.clear_failure(known.id)
    if (known.fingerprint, known.origin) != (file.fingerprint, order.origin or known.origin):
        parts.catalog.note_fingerprint(known.id, file.fingerprint, order.origin or None)
    groups = file.groups or order.groups
    if groups and groups != known.groups:
        parts.catalog.set_groups(known.id, groups)
        parts.index.set_groups(known.id, groups)


def _extracted(file: FoundFile, sha256: str, parts: Parts, fence: Fence) -> Extracted:
    """The text of a file as the parser makes it now, from the bytes that were kept.

    Equal bytes have one kept text, which others' citations may point into: it is never written over. The title is the
    file's own, since it may come from the file's name, and so is the verdict whether a file of that name is read.
    """
    known = parts.files.extracted(sha256, PARSER_VERSION)
    try:
        original = parts.files.original(sha256)
        reading = partial(parse, original, name=file.name, max_text_bytes=parts.settings.max_text_mib << 20)
        extracted = fence.call_sized(original.stat().st_size, reading)
    except Unreadable:
        if known is None and not parts.catalog.uses(sha256):
            parts.files.forget(sha256)
        raise
    if known is not None:
        return replace(known, title=extracted.title)
    parts.files.keep_extracted(sha256, PARSER_VERSION, extracted)
    return extracted


_VERSION = f"{PARSER_VERSION}.{CHUNKER_VERSION}"


def _failed(file: FoundFile, order: Order, parts: Parts, tally: Tally, reason: str, *, passing: bool = False) -> None:
    parts.catalog.record_failure(
        order.collection,
        file.source,
        reason,
        passing=passing,
        origin=order.origin,
        fingerprint=file.fingerprint,
        container=file.container,
    )
    tally.file_done(file.source, "failed", reason, passing=passing)


def _write_all(prepared: Iterable[Prepared | None], order: Order, parts: Parts, tally: Tally) -> None:
    """Embed and write in windows across documents; commit each document once its last chunk was flushed."""
    window: list[tuple[Prepared, int]] = []
    complete: list[Prepared] = []
    for document in prepared:
        if document is None:
            if len(window) >= BATCH:
                _write(window, order, parts, tally)
                window.clear()
                _commit(complete, order, parts, tally)
            continue
        for ordinal in range(len(document.chunks)):
            window.append((document, ordinal))
            if len(window) == WINDOW:
                _write(window, order, parts, tally)
                window.clear()
                _commit(complete, order, parts, tally)
        complete.append(document)
    if window:
        _write(window, order, parts, tally)
    _commit(complete, order, parts, tally)


def _write(window: Sequence[tuple[Prepared, int]], order: Order, parts: Parts, tally: Tally) -> None:
    chunks = [document.chunks[ordinal] for document, ordinal in window]
    texts = {text_hash(c.embedded_text): c.embedded_text for c in chunks}
    vectors = parts.index.vectors(list(texts))
    missing = {key: text for key, text in texts.items() if key not in vectors}
    if missing:
        vectors |= dict(zip(missing, parts.dense.encode(list(missing.values())), strict=True))
    sparse = parts.bm25.encode_documents([c.searched_text for c in chunks])
    points = [_point(document, ordinal, vectors, sparse[i], order) for i, (document, ordinal) in enumerate(window)]
    parts.index.upsert(points)
    tally.wrote(len(points), len(missing))


def _point(document: Prepared, ordinal: int, vectors: dict[str, Vector], sparse: SparseVector, order: Order) -> Point:
    piece = document.chunks[ordinal]
    text = document.extracted.text
    before = document.chunks[ordinal - 1].end if ordinal else piece.start
    kept = payload(
        piece,
        gap=_blank(text[before : piece.start]),
        page_starts=_page_starts(document.extracted, piece),
        source=document.file.source,
        title=document.extracted.title,
        collection=order.collection,
        groups=document.groups,
        file_type=_file_type(document.file),
        modified=document.modified,
        dated=document.extracted.dated,
    )
    return Point(piece.point_id, vectors[kept["text_hash"]], sparse, kept)


def _blank(between: str) -> str:
    """The white space between two chunks; nothing where hidden text stands there, which must not come back that way."""
    return between if between.isspace() else ""


def _page_starts(extracted: Extracted, piece: Chunk) -> tuple[int, ...]:
    """Where in the text each page of the chunk begins."""
    first: dict[int, int] = {}
    position = bisect_left(extracted.elements, piece.start, key=lambda element: element.end)
    for element in islice(extracted.elements, position, None):
        if element.start >= piece.end:
            break
        if element.page is not None:
            first.setdefault(element.page, max(element.start, piece.start))
    return tuple(first.get(page, piece.start) for page in piece.pages)


def _row(document: Prepared, order: Order) -> DocumentRow:
    extracted = document.extracted
    return DocumentRow(
        id=document.document_id,
        collection=order.collection,
        source=document.file.source,
        revision=document.revision,
        sha256=document.sha256,
        size=document.size,
        title=extracted.title,
        file_type=_file_type(document.file),
        chunks=len(document.chunks),
        groups=document.groups,
        parser="ragapp",
        parser_version=_VERSION,
        modified=document.modified,
        dated=extracted.dated,
        language=extracted.language,
        pages=extracted.pages,
        origin=order.origin,
        fingerprint=document.file.fingerprint,
        container=document.file.container,
    )


def _file_type(file: FoundFile) -> str:
    return PurePath(file.name).suffix.lower().lstrip(".")[:32]


def _commit(complete: list[Prepared], order: Order, parts: Parts, tally: Tally) -> None:
    """Make documents live whose chunks all stand, then collect the chunks of their dead revisions."""
    if not complete:
        return
    parts.index.flush()
    for document in complete:
        replaces = document.file.replaces
        parts.catalog.commit_document(_row(document, order), replaces=replaces)
        if replaces:
            parts.index.delete_document(replaces)
        if document.revision > 1:  # also of a new one: a crash may have left chunks of revisions that never were live
            parts.index.delete_document(document.document_id, keep_revision=document.revision)
        tally.file_done(document.file.source, "added" if document.is_new else "changed")
    complete.clear()
