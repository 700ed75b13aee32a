"""From a file to chunks that wait to be embedded: fetched, kept, told from what is in, read behind the fence."""

from __future__ import annotations

import queue
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ingest.containers import ContainerLimits, Member
from ingest.fence import Fence
from ingest.ocr import NeedsOcr
from ingest.reading import Piece, ReadFile, ReadOrder, read_file
from ingest.report import Failure, Tally
from ingest.sources import FoundFile
from ingest.spool import unspool
from ingest.versions import WITHOUT_PICTURES, current, parsed_by
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles, sha256_of
from ragapp.catalog.rows import DocumentRow
from ragapp.embed.dense import DenseEmbedder
from ragapp.embed.sparse import Bm25
from ragapp.errors import PassingFault, Unreadable
from ragapp.index.base import Index
from ragapp.settings import IngestSettings
from ragapp.types import EVERYONE, document_id

AHEAD = 64
"""Prepared documents that may wait for the embedder, enough to fill its windows; their pieces wait on disk."""
MEMBER = "!/"
"""Between a container's source and the name of what lies in it."""


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
    is_new: bool

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
    held: dict[str, set[str]] = field(default_factory=dict)
    """By container that was read in this run, the ids of what it holds now."""
    stopped: threading.Event = field(default_factory=threading.Event)
    _holds: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _read_now: set[str] = field(default_factory=set)
    _one_was_read: threading.Condition = field(default_factory=threading.Condition)

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


def prepared(files: Iterable[FoundFile], run: Run) -> Generator[Prepared | None]:
    """Files that need writing, read by as many threads as the fence has workers, at most AHEAD documents in front; None
    while they are behind, so that what there is can be embedded meanwhile."""
    ready: queue.Queue[Any] = queue.Queue(AHEAD)
    coming, turn, end = iter(files), threading.Lock(), object()

    def hand_over(item: Any) -> None:
        while not run.stopped.is_set():
            try:
                ready.put(item, timeout=0.2)
                return
            except queue.Full:
                continue

    def next_file() -> FoundFile | None:
        with turn:
            if run.stopped.is_set() or (run.order.stop and run.order.stop()):
                return None
            return next(coming, None)

    def work() -> None:
        try:
            while (file := next_file()) is not None:
                if run.order.give_way:
                    run.order.give_way()
                for item in prepare(file, run):
                    hand_over(item)
            hand_over(end)
        except BaseException as error:  # noqa: BLE001 - carried to the thread that writes, and raised there
            hand_over(error)

    threads = [
        threading.Thread(target=work, name=f"ragapp-read-{number}", daemon=True)
        for number in range(run.fence.limits.workers)
    ]
    try:
        # within: at Ctrl-C between two of them the first must end too
        for thread in threads:
            thread.start()
        working = len(threads)
        while working:
            if ready.empty():
                yield None
            item = ready.get()
            if item is end:
                working -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield item
    finally:
        run.stopped.set()
        run.fence.close()
        for thread in threads:
            if thread.ident is not None:
                thread.join()


def prepare(file: FoundFile, run: Run) -> Iterator[Prepared]:
    """One file with all that lies in it; nothing where it is unchanged or can't be read, which is noted.

    What a container holds comes before the container itself: its row is committed last, so that a container that is in
    is in with all its members.
    """
    sha256 = ""
    try:
        with file.fetch() if file.fetch else nullcontext(file.path) as path:
            named = replace(file, path=path, name=file.name or file.path.name)
            known = run.parts.catalog.document(document_id(run.order.collection, file.source))
            size, written = _facts(path, run)
            named = replace(named, modified=file.modified or written)
            if known and _stays(known, named, run):
                _leave(known, named, run)
                return
            run.tally.started(file.source, size)
            sha256 = run.keep_original(path)
        yield from _read(named, sha256, size, run)
        sha256 = ""
    except PassingFault as error:
        # whoever stopped the run killed the reader: the file is not to blame
        if not run.stopped.is_set():
            _failed(file, run, str(error), passing=True)
    except NeedsOcr as error:
        _failed(file, run, str(error), parser_version=parsed_by(WITHOUT_PICTURES))
    except Unreadable as error:
        _failed(file, run, str(error))
    except OSError as error:
        stays = isinstance(error, FileNotFoundError | PermissionError)
        # at the end of a run that is stopped what it worked with goes
        if not run.stopped.is_set():
            _failed(file, run, f"can't be opened ({error.strerror})", passing=not stays)
    finally:
        if sha256:
            run.let_go(sha256, unused=True)


def _facts(path: Path, run: Run) -> tuple[int, datetime]:
    status = path.stat()
    if status.st_size > run.parts.settings.max_file_mib << 20:
        most = run.parts.settings.max_file_mib
        raise Unreadable(f"larger than {most} MiB (raise ingest.max_file_mib to take it anyway)")
    return status.st_size, datetime.fromtimestamp(status.st_mtime, UTC)


def _read(file: FoundFile, sha256: str, size: int, run: Run) -> Iterator[Prepared]:
    into = Path(tempfile.mkdtemp(dir=run.scratch))
    spooled = into.with_name(f"{into.name}.pieces")
    try:
        with run.reading(sha256):
            read = run.fence.call_sized(size, partial(read_file, _read_order(file, sha256, into, spooled, run)))
        document = document_id(run.order.collection, file.source)
        revision = run.parts.catalog.next_revision(document)
        # read after the number was given out: a change of groups from now on is kept by the commit
        known = run.parts.catalog.document(document)
        live = known if known and known.state == "live" else None
        groups = file.groups or run.order.groups or (live.groups if live else frozenset({EVERYONE}))
        run.tally.read(file.source, read.pages or 0)
        for before in filter(None, (document if live else "", file.replaces)):
            run.held.setdefault(before, set())
        if read.opened:
            yield from _members(file, document, groups, read, run)
        read = replace(read, opened=None)
        yield Prepared(file, document, revision, sha256, size, read, spooled, groups, is_new=live is None)
    except BaseException:
        spooled.unlink(missing_ok=True)
        raise
    finally:
        shutil.rmtree(into, ignore_errors=True)


def _read_order(file: FoundFile, sha256: str, into: Path, spooled: Path, run: Run) -> ReadOrder:
    parts = run.parts
    return ReadOrder(
        sha256,
        file.name,
        parts.files,
        parts.dense.folder,
        min(parts.settings.chunk_tokens, parts.dense.max_tokens),
        parts.settings.max_text_mib << 20,
        into,
        spooled,
        file.limits or ContainerLimits(),
        file.depth,
        parts.settings.read_pictures_in,
    )


def _members(file: FoundFile, document: str, groups: frozenset[str], read: ReadFile, run: Run) -> Iterator[Prepared]:
    """What lies in a container: documents of their own, for whoever may see the container."""
    opened = read.opened
    assert opened is not None
    limits = (file.limits or ContainerLimits()).less(opened)
    run.held[document] = {
        document_id(run.order.collection, f"{file.source}{MEMBER}{name}")
        for name in [*(member.name for member in opened.members), *(failure.source for failure in opened.refused)]
    }
    for skipped in opened.skipped:
        inside = f"{MEMBER}{skipped.source}" if skipped.source else ""
        run.tally.skipped.append(Failure(f"{file.source}{inside}", skipped.reason))
    for refused in opened.refused:
        _failed(_member_file(file, refused.source, file.path, document, groups, limits), run, refused.reason)
    for member in opened.members:
        yield from prepare(_member(file, member, document, groups, limits), run)


def _member(
    file: FoundFile, member: Member, document: str, groups: frozenset[str], limits: ContainerLimits
) -> FoundFile:
    return _member_file(file, member.name, member.path, document, groups, limits)


def _member_file(
    file: FoundFile, name: str, path: Path, document: str, groups: frozenset[str], limits: ContainerLimits
) -> FoundFile:
    return FoundFile(
        path,
        f"{file.source}{MEMBER}{name}",
        name=name.rpartition("/")[2],
        modified=file.modified,
        groups=groups,
        container=document,
        depth=file.depth + 1,
        limits=limits,
    )


def _stays(known: DocumentRow, file: FoundFile, run: Run) -> bool:
    """Whether a document stays as it is: its bytes are the same, and nobody asked to read them anew."""
    order = run.order
    if known.state != "live" or order.again or (order.renew_stale and _is_stale(known, run)):
        return False
    if file.fingerprint and file.fingerprint == known.fingerprint and not known.reason:
        return True
    return known.sha256 == sha256_of(file.path)


def _is_stale(known: DocumentRow, run: Run) -> bool:
    return known.parser_version not in current(run.parts.settings.ocr)


def _leave(known: DocumentRow, file: FoundFile, run: Run) -> None:
    """What is done for an unchanged file: nothing is parsed or embedded, but who may see it can have been asked."""
    catalog = run.parts.catalog
    if known.reason:
        catalog.clear_failure(known.id)
    if (known.fingerprint, known.origin) != (file.fingerprint, run.order.origin or known.origin):
        catalog.note_fingerprint(known.id, file.fingerprint, run.order.origin or None)
    groups = file.groups or run.order.groups
    for row in catalog.with_members(known.id):
        if groups and row.state == "live" and row.groups != groups:
            catalog.set_groups(row.id, groups)
            run.parts.index.set_groups(row.id, groups)
        if row.state == "failed":
            run.tally.file_done(row.source, "failed", row.reason, passing=row.passing)
        else:
            if _is_stale(row, run):
                run.tally.stale()
            run.tally.file_done(row.source, "unchanged")


def _failed(file: FoundFile, run: Run, reason: str, *, passing: bool = False, parser_version: str = "") -> None:
    run.parts.catalog.record_failure(
        run.order.collection,
        file.source,
        reason,
        passing=passing,
        origin=run.order.origin,
        fingerprint=file.fingerprint,
        container=file.container,
        parser_version=parser_version,
    )
    run.tally.file_done(file.source, "failed", reason, passing=passing)
