"""From a file to chunks that wait to be embedded: fetched, kept, told from what is in, read behind the fence."""

from __future__ import annotations

import queue
import shutil
import tempfile
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from ingest.origins.synced import shown_to
from ingest.origins.walk import written
from ingest.pipeline.reading import ReadFile, ReadOrder, read_file
from ingest.pipeline.run import FoundFile, Order, Prepared, Run
from ingest.pipeline.versions import WHOLE, WITHOUT_PICTURES, current, parsed_by
from ingest.read.pdf.ocr import NeedsOcr
from ingest.unpack.opened import ContainerLimits, Failure, Member
from ragapp.catalog.files import sha256_of
from ragapp.catalog.groups import Grant
from ragapp.catalog.rows import MEMBER, DocumentRow
from ragapp.errors import KeptOut, NobodyChosen, PassingFault, Unreadable
from ragapp.settings import IngestSettings
from ragapp.types import document_id

AHEAD = 64
"""Prepared documents that may wait for the embedder, enough to fill its windows; their pieces wait on disk."""


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
            if run.stopping():
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


def prepare(file: FoundFile, run: Run, grant: Grant | None = None) -> Iterator[Prepared]:
    """One file with all that lies in it; nothing where it is unchanged or can't be read, which is noted. `grant` is
    that of the file it lies in.

    What a container holds comes before the container itself: its row is committed last, so that a container that is in
    is in with all its members.
    """
    sha256 = ""
    grant = grant or _grant(file, run.order)
    try:
        with file.fetch(run.stopping) if file.fetch else nullcontext(file.path) as path:
            named = replace(file, path=path, name=file.name or file.path.name)
            known = run.parts.catalog.document(document_id(run.order.collection, file.source))
            size, modified = _facts(path, run)
            named = replace(named, modified=file.modified or modified)
            if known and _stays(known, named, run):
                _leave(known, named, run, grant)
                return
            # before anything is done for it: where nobody chose who may see it, it doesn't come in
            run.parts.catalog.access.granted(grant)
            run.tally.started(file.source, size)
            sha256 = run.keep_original(path)
        yield from _read(named, sha256, size, run, grant)
        sha256 = ""
    except PassingFault as error:
        # whoever stopped the run killed the reader, or broke off the fetch: the file is not to blame
        if not run.stopping():
            failed(file, run, str(error), passing=True)
    except (KeptOut, NobodyChosen) as error:
        failed(file, run, str(error), later=True)
    except NeedsOcr as error:
        failed(file, run, str(error), parser_version=parsed_by(WITHOUT_PICTURES))
    except Unreadable as error:
        failed(file, run, str(error), parser_version=parsed_by(WHOLE))
    except OSError as error:
        stays = isinstance(error, FileNotFoundError | PermissionError)
        # at the end of a run that is stopped what it worked with goes
        if not run.stopped.is_set():
            failed(file, run, f"can't be opened ({error.strerror})", passing=not stays, later=stays)
    finally:
        if sha256:
            run.let_go(sha256, unused=True)


def refuse_large(size: int, settings: IngestSettings) -> None:
    """Raises KeptOut for a file of more bytes than the settings let in."""
    if size > settings.max_file_mib << 20:
        raise KeptOut(f"larger than {settings.max_file_mib} MiB (raise ingest.max_file_mib to take it anyway)")


def _facts(path: Path, run: Run) -> tuple[int, datetime | None]:
    status = path.stat()
    refuse_large(status.st_size, run.parts.settings)
    return status.st_size, written(status)


def _grant(file: FoundFile, order: Order) -> Grant:
    """Who may see a file and what lies in it, as the run was asked."""
    document = document_id(order.collection, file.source)
    asked = order.groups if file.groups is None else file.groups
    if order.renew_stale or file.container:
        # a known document that is read again by itself: what it lies in says who may see it, as it did before
        return Grant(document, asked, job=order.job, collection=order.collection)
    by_source = partial(shown_to, source=file.source, listed=file.groups) if order.origin else None
    return Grant(
        document, asked, asked, order.job, order.origin, by_source, collection=order.collection, replaces=file.replaces
    )


def _read(file: FoundFile, sha256: str, size: int, run: Run, grant: Grant) -> Iterator[Prepared]:
    into = Path(tempfile.mkdtemp(dir=run.scratch))
    spooled = into.with_name(f"{into.name}.pieces")
    try:
        with run.reading(sha256):
            read = run.fence.call_sized(size, partial(read_file, _read_order(file, sha256, into, spooled, run)))
        document = document_id(run.order.collection, file.source)
        revision = run.parts.catalog.next_revision(document)
        known = run.parts.catalog.document(document)
        is_new = known is None or known.state != "live"
        groups = run.parts.catalog.access.granted(grant)
        run.tally.read(file.source, read.pages or 0)
        holds = _holds(file, read, run)
        if read.opened:
            # of a new one each commit asks the collection's rule; one that is taken away meanwhile shows no more
            inside = grant if known is None and grant.new is None else replace(grant, new=groups)
            yield from _members(file, document, inside, read, run)
        read = replace(read, opened=None)
        yield Prepared(file, document, revision, sha256, size, read, spooled, groups, grant, is_new, holds)
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


def _holds(file: FoundFile, read: ReadFile, run: Run) -> frozenset[str]:
    """The ids of what lies in a file, also of what can't be taken out of it."""
    opened = read.opened
    names = [*(each.name for each in opened.members), *(each.source for each in opened.refused)] if opened else []
    return frozenset(document_id(run.order.collection, f"{file.source}{MEMBER}{name}") for name in names)


def _members(file: FoundFile, document: str, grant: Grant, read: ReadFile, run: Run) -> Iterator[Prepared]:
    """What lies in a container: documents of their own, for whoever may see the container."""
    opened = read.opened
    assert opened is not None
    limits = (file.limits or ContainerLimits()).less(opened)
    for skipped in opened.skipped:
        inside = f"{MEMBER}{skipped.source}" if skipped.source else ""
        run.tally.skipped.append(Failure(f"{file.source}{inside}", skipped.reason))
    for refused in opened.refused:
        named = _member_file(file, refused.source, file.path, document, limits)
        failed(named, run, refused.reason, parser_version=parsed_by(WHOLE))
    for member in opened.members:
        yield from prepare(_member(file, member, document, limits), run, grant)


def _member(file: FoundFile, member: Member, document: str, limits: ContainerLimits) -> FoundFile:
    return _member_file(file, member.name, member.path, document, limits)


def _member_file(file: FoundFile, name: str, path: Path, document: str, limits: ContainerLimits) -> FoundFile:
    return FoundFile(
        path,
        f"{file.source}{MEMBER}{name}",
        name=name.rpartition("/")[2],
        modified=file.modified,
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


def _leave(known: DocumentRow, file: FoundFile, run: Run, grant: Grant) -> None:
    """What is done for an unchanged file: nothing is parsed or embedded, but who may see it can have been asked."""
    catalog = run.parts.catalog
    if known.reason:
        catalog.clear_failure(known.id)
    if (known.fingerprint, known.origin) != (file.fingerprint, run.order.origin or known.origin):
        catalog.note_fingerprint(known.id, file.fingerprint, run.order.origin or None)
    rows = catalog.with_members(known.id)
    groups = catalog.access.granted(grant)
    if other := [row.id for row in rows if row.state == "live" and row.groups != groups]:
        # the index follows with all that is due, at the end of the run
        catalog.access.bring_in_line(other, grant)
    kept = note_kept(known.id, known.source, groups, grant, run)
    for row in rows:
        if row.state == "failed":
            run.tally.file_done(row.source, "failed", row.reason, passing=row.passing)
        else:
            if _is_stale(row, run):
                run.tally.stale()
            run.tally.file_done(row.source, "unchanged", kept if row.id == known.id else "")


def note_kept(document: str, source: str, groups: frozenset[str], grant: Grant, run: Run) -> str:
    """Where a document isn't shown to those that the run named, since others were chosen for it by hand: into the
    report, and back as a sentence for the job's own row; empty for most."""
    if document != grant.document or grant.said in (None, groups):
        return ""
    run.tally.keep(source)
    return f"stays with {', '.join(sorted(groups)) or 'nobody'}, as was chosen by hand; ragapp access set changes that"


def failed(
    file: FoundFile, run: Run, reason: str, *, passing: bool = False, later: bool = False, parser_version: str = ""
) -> None:
    """Note why a file is not in. `later`: this run needn't try again, and each later one looks again. `parser_version`:
    of what could not read it, so that another version tries again."""
    run.parts.catalog.record_failure(
        run.order.collection,
        file.source,
        reason,
        passing=passing or later,
        origin=run.order.origin,
        fingerprint=file.fingerprint,
        container=file.container,
        parser_version=parser_version,
    )
    run.tally.file_done(file.source, "failed", reason, passing=passing)
