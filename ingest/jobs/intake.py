"""What an admin asks of ingestion: take in, sync, look first, take up again, try again, renew."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.jobs.asked import Asked, Groups, belongs_to, groups_said, is_of, of_origin, of_paths, of_uploads
from ingest.jobs.plan import Plan, is_stale
from ingest.jobs.sync import Retry, Task, make_plan, run_job
from ingest.jobs.watch import changes
from ingest.origins.open import open_origin
from ingest.origins.origin import Entry, Origin, Stop
from ingest.origins.pathrules import PathRules
from ingest.origins.protected import Protected
from ingest.origins.synced import ruled as is_ruled
from ingest.origins.uploads import Upload, clear, listed
from ingest.origins.walk import listing
from ingest.pipeline.pipeline import Order, Parts
from ingest.pipeline.report import IngestReport, Watcher, merged
from ingest.pipeline.versions import current
from ingest.read.pdf.ocr import check_ocr
from ragapp.access import said_groups
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.rows import DocumentRow, FileAction, JobFile, JobRow, OriginRow
from ragapp.catalog.scratch import scratch_folder
from ragapp.errors import CatalogError, RagappError, SettingsError


@dataclass(frozen=True, slots=True)
class Preview:
    """What a sync would do, and each file of it."""

    plan: Plan
    files: tuple[JobFile, ...]
    """All but the unchanged ones, at most `SHOWN`."""


SHOWN = 10_000
_log = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class Intake:
    """Ingestion over one data folder. `parts` builds embedder and index when a run needs them; `ocr` names the
    languages in which pictures of text are read, and is empty where they are left out."""

    def __init__(
        self,
        catalog: Catalog,
        parts: Callable[[], Parts],
        data: Path,
        ocr: str = "",
        protected: Protected | None = None,
    ) -> None:
        self._catalog = catalog
        self._parts = parts
        self._scratch = data / "scratch"
        self._ocr = ocr
        self._protected = protected or Protected(data)
        self._current = current(bool(ocr))
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def ingest(
        self, paths: Sequence[Path], collection: str, groups: Groups, watcher: Watcher | None = None
    ) -> IngestReport:
        """Take in files and folders of this machine; nothing is removed. Where `groups` is None, whom the collection's
        rule names sees what is new. Raises SettingsError for groups that name nobody, NobodyChosen."""
        return self._run(of_paths(paths, collection, groups), watcher)

    def renew_stale(self, watcher: Watcher | None = None) -> IngestReport:
        """Make documents anew that an older parser or chunker made, from the originals that were kept.

        One job for each collection and source; the old versions answer until the new ones stand.
        """
        places = sorted({(row.collection, row.origin) for row in self._catalog.stale(self._current)})
        return merged(
            [
                self._run(Asked("stale", "ingest --stale", {"collection": collection}, origin), watcher)
                for collection, origin in places
            ]
        )

    def is_stale(self, row: DocumentRow) -> bool:
        """Whether an older parser or chunker made what is in of a document."""
        return is_stale(row, self._current)

    def stale(self) -> int:
        """How many documents an older parser or chunker made."""
        return len(self._catalog.stale(self._current))

    # synced sources

    def add(self, row: OriginRow) -> OriginRow:
        """Keep a source to sync; it is looked at, so that a wrong address is said at once. Where no groups are said,
        they are those of its collection's rule. Raises NobodyChosen where there is none and the house is shared."""
        if not _NAME.fullmatch(row.name):
            raise SettingsError(f"{row.name!r} is no name for a source; use letters, digits, - and _ only.")
        groups = said_groups(row.groups) if row.groups else None
        rules = tuple((pattern, said_groups(named) or frozenset()) for pattern, named in row.rules if named)
        row = replace(
            row,
            groups=self._catalog.collection_rules.groups_of_new(row.collection, groups),
            rules=rules if len(rules) == len(row.rules) else row.rules,
        )
        with self._opened(row) as origin:
            return self._catalog.origins.add(replace(row, url=row.url if "://" in row.url else origin.url))

    def sync(self, name: str, watcher: Watcher | None = None, *, remove_gone: bool = False) -> IngestReport:
        """Bring what is in in line with a source: new, changed, moved and gone files."""
        row = self._catalog.origins.get(name)
        with self._alone(name):
            return self._run(of_origin(row, remove_gone), watcher)

    def preview(self, name: str) -> Preview:
        """What `sync` would do; nothing is done."""
        row = self._catalog.origins.get(name)
        job = self._catalog.jobs.start("sync", f"sync run {name} --dry-run", {"dry_run": True} | belongs_to(row), name)
        try:
            with self._task_of_origin(row, remove_gone=False) as task:
                planned = make_plan(job, task, self._catalog, ocr=bool(self._ocr))
            actions: tuple[FileAction, ...] = ("new", "changed", "moved", "gone", "unreadable")
            files = self._catalog.jobs.files(job, actions=actions)
            return Preview(planned, tuple(file for file, _ in zip(files, range(SHOWN), strict=False)))
        finally:
            self._catalog.jobs.discard(job)

    def watch(
        self,
        names: Sequence[str],
        every_s: float,
        stop: threading.Event,
        tell: Callable[[str, IngestReport | RagappError], None],
    ) -> None:
        """Sync sources again and again until `stop` is set: on a schedule, and when a local folder changes.

        One run at a time; a source that fails is left alone for longer and longer. `tell` hears how each run went.
        """
        rows = [self._catalog.origins.get(name) for name in names]
        turns = threading.Lock()

        def follow(row: OriginRow) -> None:
            for turn in changes(row.url, every_s, stop):
                with turns:
                    if stop.is_set():
                        return
                    went = self._watched(row.name)
                    turn.well = not isinstance(went, RagappError)
                    tell(row.name, went)

        threads = [threading.Thread(target=follow, args=(row,), name=f"watch-{row.name}", daemon=True) for row in rows]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                # short waits, so that Ctrl-C is heard
                thread.join(timeout=0.5)

    def _watched(self, name: str) -> IngestReport | RagappError:
        """One sync of a source that is watched, which goes on whatever comes of it."""
        try:
            return self.sync(name)
        except RagappError as error:
            return error
        except Exception as error:  # noqa: BLE001 - the other sources are watched on, and this one is tried again
            _log.exception("the sync of %s failed unexpectedly", name)
            return RagappError(
                f"The sync failed unexpectedly ({type(error).__name__}: {error}); the log says where, and it is tried "
                "again with the next turn."
            )

    def remove_source(self, name: str) -> int:
        """Forget a source; its documents stay in until they are removed. Returns how many these are."""
        row = self._catalog.origins.get(name)
        ruled = [each.id for each in self._catalog.documents(origin=name) if is_ruled(row, each.source)]
        kept = self._catalog.release(name, ruled)
        self._catalog.origins.remove(name)
        return kept

    # jobs

    def resume(self, job_id: int, watcher: Watcher | None = None) -> IngestReport:
        """Go on with a job that was interrupted, cancelled, or failed."""
        return self._do(self._catalog.jobs.take_up(job_id), watcher, resumed=True)

    def retry(self, job_id: int, watcher: Watcher | None = None, *, failed: bool = False) -> IngestReport:
        """Try again what failed in a job for a reason that may pass; with `failed`, all that failed."""
        job = self._catalog.jobs.take_up(job_id, finished=True)
        return self._do(job, watcher, retry="all" if failed else "passing", resumed=True)

    # jobs that wait for their turn: noted by whoever asks, done by the service's one worker

    def note_paths(self, paths: Sequence[Path], collection: str, groups: Groups) -> int:
        """`ingest` as a waiting job; returns its id."""
        return self._note(of_paths(paths, collection, groups))

    def note_uploads(self, uploads: Sequence[Upload], collection: str, groups: Groups, *, once: bool = False) -> int:
        """Taking in what was sent, as a waiting job; returns its id. With `once` nothing of it is kept after the job,
        not even what failed and could be tried again."""
        return self._note(of_uploads(uploads, collection, groups, once=once))

    def note_sync(self, name: str, *, remove_gone: bool = False) -> int:
        """`sync` as a waiting job; returns its id."""
        return self._note(of_origin(self._catalog.origins.get(name), remove_gone))

    def note_stale(self) -> list[int]:
        """`renew_stale` as waiting jobs; returns their ids."""
        places = sorted({(row.collection, row.origin) for row in self._catalog.stale(self._current)})
        return [self._note(Asked("stale", "ingest --stale", {"collection": at}, origin)) for at, origin in places]

    def do(
        self,
        job_id: int,
        watcher: Watcher | None = None,
        *,
        retry: Retry = "",
        resumed: bool = False,
        stop: Callable[[], bool] | None = None,
        give_way: Callable[[], None] | None = None,
        leave_graph: Callable[[], bool] | None = None,
    ) -> IngestReport | None:
        """Do a waiting job; None where it was cancelled meanwhile. For what it is given besides see Task and Order."""
        job = self._catalog.jobs.begin(job_id)
        if job is None:
            return None
        with self._alone(job.origin) if job.kind == "sync" else nullcontext():
            return self._do(job, watcher, retry, resumed=resumed, stop=stop, give_way=give_way, leave_graph=leave_graph)

    def _note(self, asked: Asked) -> int:
        self._check(asked)
        return self._catalog.jobs.start(asked.kind, asked.command, asked.request, asked.origin, waiting=True)

    def _check(self, asked: Asked) -> None:
        asked.check(self._catalog)
        self._protected.refuse(Path(path) for path in asked.request.get("paths", ()))

    def _run(self, asked: Asked, watcher: Watcher | None) -> IngestReport:
        self._check(asked)
        job_id = self._catalog.jobs.start(asked.kind, asked.command, asked.request, asked.origin)
        job = self._catalog.jobs.job(job_id)
        assert job is not None
        return self._do(job, watcher)

    def _do(
        self,
        job: JobRow,
        watcher: Watcher | None,
        retry: Retry = "",
        *,
        resumed: bool = False,
        stop: Callable[[], bool] | None = None,
        give_way: Callable[[], None] | None = None,
        leave_graph: Callable[[], bool] | None = None,
    ) -> IngestReport:
        try:
            if self._ocr:
                check_ocr(self._ocr)
            with self._task(job) as task:
                polite = replace(task.order, give_way=give_way)
                whole = replace(task, order=polite, retry=retry, resumed=resumed, stop=stop, leave_graph=leave_graph)
                report = run_job(job.id, whole, self._parts(), watcher)
        except RagappError as error:
            self._catalog.jobs.give_up(job.id, str(error))
            raise
        except BaseException as error:
            self._catalog.jobs.give_up(job.id, f"It failed unexpectedly ({type(error).__name__}); the log says why.")
            raise
        ended = self._catalog.jobs.job(job.id)
        if "uploads" in job.request and ended and ended.state == "finished":
            failed = [] if job.request.get("once") else self._catalog.jobs.files(job.id, states=("failed",))
            clear(job.request["uploads"], [file.source for file in failed])
        return report

    @contextmanager
    def _task(self, job: JobRow) -> Iterator[Task]:
        asked = job.request
        if asked.get("dry_run"):
            raise CatalogError(f"Job {job.id} was only a look at {job.origin}; there is nothing to go on with.")
        if job.kind == "sync":
            row = self._catalog.origins.get(job.origin)
            if not is_of(job, row):
                raise CatalogError(
                    f"Job {job.id} is of an earlier source {row.name}, which was taken away; the one that has its name "
                    f"now is another: ragapp sync run {row.name}"
                )
            with self._task_of_origin(row, bool(asked.get("remove_gone"))) as task:
                yield task
        elif job.kind == "stale":
            order = Order(str(asked["collection"]), None, origin=job.origin, renew_stale=True)
            yield Task(lambda: self._originals(order), order)
        elif "uploads" in asked:
            order = Order(str(asked["collection"]), groups_said(asked))
            yield Task(lambda: listed(asked["uploads"]), order, named_by_source=True)
        elif "paths" in asked:
            order = Order(str(asked["collection"]), groups_said(asked))
            paths = [Path(path) for path in asked["paths"]]
            yield Task(lambda: listing(paths, self._protected), order, fetch=self._opened_here)
        else:
            raise CatalogError(
                f"Job {job.id} was started by an older version, which did not note what it was asked; run its command "
                f"again: ragapp {job.command}"
            )

    @contextmanager
    def _task_of_origin(self, row: OriginRow, remove_gone: bool) -> Iterator[Task]:
        with self._opened(row) as origin:
            yield Task(
                origin.list,
                Order(row.collection, row.groups, origin=row.name),
                fetch=origin.fetch,
                digest=origin.digest,
                origin=row.name,
                remove_gone=remove_gone,
                again=f"ragapp sync run {row.name} --remove-gone",
            )

    @contextmanager
    def _opened(self, row: OriginRow) -> Iterator[Origin]:
        with scratch_folder(self._scratch) as scratch:
            rules = PathRules(row.rules)
            with open_origin(
                row.url,
                include=row.include,
                exclude=row.exclude,
                rules=rules,
                scratch=scratch,
                protected=self._protected,
            ) as origin:
                yield origin

    def _opened_here(self, file: JobFile, stop: Stop) -> AbstractContextManager[Path]:
        """A file of this machine, held open: what it is when it is read counts, not what it was when it was listed."""
        return self._protected.opened(Path(os.fsdecode(file.locator)))

    def _originals(self, order: Order) -> Iterator[Entry]:
        """The kept originals of stale documents, under the names of their sources."""
        files = self._parts().files
        for row in self._catalog.stale(self._current):
            if (row.collection, row.origin) == (order.collection, order.origin):
                path = files.original(row.sha256)
                # the fingerprint of a newer version that could not be read is not that of what is in
                fingerprint = "" if row.reason else row.fingerprint
                yield Entry(row.source, os.fsencode(path), row.size, row.modified, fingerprint)

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """One run at a time for each source."""
        with self._lock:
            if name in self._running:
                raise RagappError(f"The source {name} is being synced already; wait for that run, or cancel its job.")
            self._running.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(name)
