"""What happens to one file behind the fence: it is opened, parsed, cut into chunks, and its text is kept."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from ingest.chunk.chunk import chunk
from ingest.pipeline.spool import spool
from ingest.pipeline.versions import WHOLE, text_version, text_versions
from ingest.read.dates import dated_title
from ingest.read.formats import kind_of
from ingest.read.parse import parse, title_of_name
from ingest.unpack.containers import holds_files, holds_only_files, open_container
from ingest.unpack.opened import ContainerLimits, Failure, Opened
from ragapp.catalog.files import DocumentFiles
from ragapp.embed.tokencount import TokenCounter
from ragapp.errors import KeptOut, Unreadable
from ragapp.types import Chunk, Extracted


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """One file to read: where its bytes are kept, and all that is needed besides."""

    sha256: str
    name: str
    files: DocumentFiles
    embedder: Path
    """The folder with the embedder's tokenizer."""
    max_tokens: int
    max_text_bytes: int
    into: Path
    """A folder of its own for the files that it holds."""
    pieces: Path
    """A file that isn't there yet, for its chunks."""
    limits: ContainerLimits
    depth: int
    ocr: str = ""
    """The languages in which pictures of text are read; empty where they are left out."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk and what the index must know to join it with its neighbours."""

    chunk: Chunk
    gap: str
    """The white space between the chunk before and this one."""
    page_starts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What a file holds. Its chunks were spooled, and carry neither document nor revision yet."""

    title: str
    chunks: int = 0
    pages: int | None = None
    dated: datetime | None = None
    language: str | None = None
    opened: Opened | None = None
    version: str = WHOLE
    """Under which its text is kept."""


def read_file(order: ReadOrder) -> ReadFile:
    """Open, parse and cut one file; its text is kept by the hash of its bytes, and known text isn't parsed again.

    Raises Unreadable with the reason; StorageFull or CatalogError where the text can't be kept.
    """
    original = order.files.original(order.sha256)
    kind = kind_of(original, order.name)
    opened = _opened(original, kind, order)
    if holds_only_files(kind):
        if opened is None or not (opened.members or opened.refused or opened.skipped):
            raise Unreadable("holds no files")
        return ReadFile(title_of_name(order.name), opened=opened)
    try:
        extracted, version = _extracted(original, order)
    except Unreadable as error:
        if opened and opened.members:
            return ReadFile(title_of_name(order.name), opened=_without_text(opened, error))
        raise
    counter = _counter(order.embedder)
    chunks = chunk(extracted, document_id="", revision=0, count_tokens=counter, max_tokens=order.max_tokens)
    titled = [replace(piece, title=extracted.title) for piece in chunks]
    if not titled and not (opened and opened.members):
        raise Unreadable("holds no text")
    return ReadFile(
        extracted.title,
        spool(_pieces(extracted, titled), order.pieces),
        extracted.pages,
        extracted.dated,
        extracted.language,
        opened,
        version,
    )


def _opened(original: Path, kind: str, order: ReadOrder) -> Opened | None:
    """What a file holds; where it has a text of its own, that it can't be opened is only noted."""
    if not holds_files(kind):
        return None
    try:
        return open_container(original, kind, order.into, order.limits, order.depth, name=order.name)
    except Unreadable as error:
        if holds_only_files(kind):
            raise
        return Opened((), (), (Failure("", f"what it holds was not opened: it {error}"),))


def _without_text(opened: Opened, error: Unreadable) -> Opened:
    """What a file holds whose own text is not read. Where it has none there is nothing to say."""
    if not isinstance(error, KeptOut):
        return opened
    return replace(opened, skipped=(*opened.skipped, Failure("", f"its own text was not read: it {error}")))


def _extracted(original: Path, order: ReadOrder) -> tuple[Extracted, str]:
    """The text as the parser makes it now, from the bytes that were kept, and the version it is kept under.

    Equal bytes have one kept text, which others' citations may point into: it is never written over. Where the document
    gives itself no title, title and date are of the file's own name, and never of another's who sent the same bytes.
    """
    untitled: dict[str, Extracted] = {}
    for version in text_versions(bool(order.ocr)):
        if (known := order.files.extracted(order.sha256, version)) is None:
            continue
        if known.titled:
            return known, version
        own = title_of_name(order.name)
        if known.titled is False and dated_title(own) == dated_title(known.title):
            return replace(known, title=own), version
        untitled[version] = known
    extracted = parse(original, name=order.name, max_text_bytes=order.max_text_bytes, ocr=order.ocr)
    version = text_version(extracted)
    if version in untitled:
        return replace(untitled[version], title=extracted.title, dated=extracted.dated), version
    order.files.keep_extracted(order.sha256, version, extracted)
    return extracted, version


@lru_cache(maxsize=2)
def _counter(folder: Path) -> TokenCounter:
    return TokenCounter(folder, folder.name)


def _pieces(extracted: Extracted, chunks: Sequence[Chunk]) -> Iterator[Piece]:
    end = chunks[0].start if chunks else 0
    for each in chunks:
        yield Piece(each, _blank(extracted.text[end : each.start]), _page_starts(extracted, each))
        end = each.end


def _blank(between: str) -> str:
    """The white space between two chunks; nothing where hidden text stands there, which must not come back that way."""
    return between if between.isspace() else ""


def _page_starts(extracted: Extracted, piece: Chunk) -> tuple[int, ...]:
    """Where in the text each page of the chunk begins."""
    first: dict[int, int] = {}
    position = bisect_left(extracted.elements, piece.start, key=lambda element: element.end)
    # by number: islice would go through all that stand before, for each chunk
    for number in range(position, len(extracted.elements)):
        element = extracted.elements[number]
        if element.start >= piece.end:
            break
        if element.page is not None:
            first.setdefault(element.page, max(element.start, piece.start))
    return tuple(first.get(page, piece.start) for page in piece.pages)
