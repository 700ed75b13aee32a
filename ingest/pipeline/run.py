"""One run of ingestion: what is asked of it, what it works with, what its threads share, and a file on its way."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ingest.fence.fence import Fence
from ingest.origins.origin import Stop
from ingest.pipeline.reading import Piece, ReadFile
from ingest.pipeline.report import Tally
from ingest.pipeline.spool import unspool
from ingest.unpack.opened import ContainerLimits
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.catalog.groups import Grant
from ragapp.embed.dense import DenseEmbedder
from ragapp.embed.sparse import Bm25
from ragapp.index.base import Index
from ragapp.settings import IngestSettings


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file to ingest and the name it is known by."""

    path: Path
    source: str
    name: str = ""
    """What it is called, where `path` is only where its bytes lie."""
    fingerprint: str = ""
    """Changes with its bytes, and is known before they are read; empty where there is none."""
    modified: datetime | None = None
    """When it was last written; None where `path` itself says so."""
    groups: frozenset[str] | None = None
    """Who may see it, where its source says so; None for whoever the order names."""
    container: str = ""
    """The id of the document that holds it."""
    depth: int = 0
    """How many containers it lies in."""
    limits: ContainerLimits | None = None
    """What may come out of it, where it lies in another container already."""
    replaces: str = ""
    """The id of the document that it was before it was moved or renamed."""
    fetch: Callable[[Stop], AbstractContextManager[Path]] | None = None
    """Brings the bytes of a file that is not on this machine, and breaks off where it hears a stop; None where they are
    at `path`."""


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
    """Who was said to see them. None leaves known documents as they are, and shows new ones to whom the collection's
    rule names when they are committed."""
    origin: str = ""
    """The synced source that the files are of."""
    job: int = 0
    """The job that asks."""
    renew_stale: bool = False
    """Make anew what an older parser or chunker made, though its bytes are the same."""
    again: bool = False
    """Read files again though they are unchanged: something in them failed."""
    stop: Callable[[], bool] | None = None
    """Asked between files and between windows of chunks; what was not committed until then is left undone."""
    give_way: Callable[[], None] | None = None
    """Called before each file is read, each few chunks are embedded, and every few seconds while the search graph is
    built; returns when this run may take the machine."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that was read and waits to be embedded."""

    file: FoundFile
    document_id: str
    revision: int
    sha256: str
    size: int
    read: ReadFile
    spooled: Path
    """The file with its pieces, where it has any."""
    groups: frozenset[str]
    """What its chunks are written with; who may see it is decided with its commit."""
    grant: Grant
    is_new: bool
    holds: frozenset[str] = frozenset()
    """The ids of what lies in it now."""

    def pieces(self) -> Iterator[Piece]:
        """Its chunks in their order, once."""
        return unspool(self.spooled) if self.read.chunks else iter(())


@dataclass(slots=True)
class Run:
    """One run's parts, and what its threads share."""

    order: Order
    parts: Parts
    tally: Tally
    fence: Fence
    scratch: Path
    stopped: threading.Event = field(default_factory=threading.Event)
    _holds: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _read_now: set[str] = field(default_factory=set)
    _one_was_read: threading.Condition = field(default_factory=threading.Condition)

    def stopping(self) -> bool:
        """Whether what is not done yet is left to another run."""
        return self.stopped.is_set() or bool(self.order.stop and self.order.stop())

    @contextmanager
    def reading(self, sha256: str) -> Iterator[None]:
        """Equal bytes are read one after the other: they have one kept text, which the chunks of each must fit."""
        with self._one_was_read:
            self._one_was_read.wait_for(lambda: sha256 not in self._read_now)
            self._read_now.add(sha256)
        try:
            yield
        finally:
            with self._one_was_read:
                self._read_now.remove(sha256)
                self._one_was_read.notify_all()

    def keep_original(self, path: Path) -> str:
        """Keep a file's bytes for a document that is not committed yet."""
        sha256 = self.parts.files.keep_original(path, hold=True)
        with self._lock:
            self._holds[sha256] += 1
        return sha256

    def let_go(self, sha256: str, *, unused: bool = False) -> None:
        """It doesn't need them to be held any more; with `unused` they go, where no other document needs them."""
        with self._lock:
            self._holds[sha256] -= 1
        self.parts.files.let_go(sha256)
        if unused:
            self.parts.files.forget(sha256, self.parts.catalog.uses)

    def let_go_of_all(self) -> None:
        """What is held for documents that this run won't commit; the leftovers of the next one."""
        for sha256 in self._holds.elements():
            self.parts.files.let_go(sha256)
        self._holds.clear()
