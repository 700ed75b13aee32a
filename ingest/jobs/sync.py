"""One job from its listing to its end: plan, take in, try again what may pass, remove what is gone.

`ragapp ingest PATH` is a sync of one time that removes nothing. Everything that was planned and not done stays in the
job's rows: whoever takes the job up again goes on from there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePath
from typing import Literal

from ingest.jobs.ledger import Ledger
from ingest.jobs.leftovers import collect_leftovers
from ingest.jobs.plan import Digest, Plan, plan
from ingest.origins.origin import Entry, NotListed, Stop
from ingest.pipeline.pipeline import Order, Parts, run_files
from ingest.pipeline.prepare import refuse_large
from ingest.pipeline.report import IngestReport, Tally, Watcher
from ingest.pipeline.run import FoundFile
from ingest.unpack.opened import Failure
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.rows import MEMBER, DocumentRow, FileAction, JobFile, JobState
from ragapp.index.follow import follow

_TAKEN: tuple[FileAction, ...] = ("new", "changed", "moved")
_PAGE = 500
_OLDER = 50
"""Jobs among which the last one is looked for that ended; the others wait for their turn."""
_TRIES = 3
_NOT_KEPT = "is not kept any more; send it again"
_FIRST_WAIT_S = 2.0
"""Before the second try of what may pass (network, lock, memory); four times as long before the third."""

Fetch = Callable[[JobFile, Stop], AbstractContextManager[Path]]
Retry = Literal["", "passing", "all"]


@dataclass(frozen=True, slots=True)
class Task:
    """What a job works on: what there is, how its bytes are had, and what it belongs to."""

    listing: Callable[[], Iterable[Entry | NotListed]]
    order: Order
    fetch: Fetch | None = None
    """Brings a file that is not on this machine; None where its locator is its path."""
    digest: Digest | None = None
    origin: str = ""
    """The name of the synced source; empty for a run of one time, which removes nothing."""
    remove_gone: bool = False
    """Remove what is gone even where it is suspiciously much."""
    again: str = ""
    """The command that says so."""
    retry: Retry = ""
    """Instead of planning anew, take what failed: "passing" for reasons that may pass, "all" for all."""
    resumed: bool = False
    """The job began before, and ended badly or too early."""
    named_by_source: bool = False
    """The files lie under names that aren't theirs."""
    stop: Callable[[], bool] | None = None
    """Whether the process wants to end, or to do something else first; the job waits then, to be taken up again."""
    leave_graph: Callable[[], bool] | None = None
    """Whether the search graph is left to another job, which comes behind this one."""


def run_job(job_id: int, task: Task, parts: Parts, watcher: Watcher | None = None) -> IngestReport:
    """Do a job that was started or taken up, and note how it ended.

    Raises what the listing raises (SourceUnavailable, Unreadable), StorageFull, and KeyboardInterrupt: what was done
    until then stays done, and `ragapp jobs resume` goes on.
    """
    began = time.monotonic()
    ledger = Ledger(parts.catalog.jobs, job_id, task.stop)
    tally = Tally(watcher, recorder=ledger)
    state: JobState = "failed"
    withheld = ""
    try:
        planned = (
            plan_retry(job_id, task, parts)
            if task.retry
            else make_plan(job_id, task, parts.catalog, ocr=parts.settings.ocr)
        )
        _note_plan(job_id, planned, parts, tally)
        order = replace(task.order, job=job_id, stop=ledger.stop, again=bool(task.retry))
        _take_in(job_id, task, order, parts, tally, ledger)
        withheld = "" if task.remove_gone else planned.withheld
        if not withheld and not ledger.stop():
            _remove_gone(job_id, task.origin, parts, tally)
        if _may_have_leftovers(job_id, task, parts.catalog):
            # at the end, since vectors that were computed in vain the last time are of use to this one
            collect_leftovers(parts)
        follow(parts.catalog, parts.index, parts.files)
        _build_graph(task, parts, ledger)
        state = "cancelled" if ledger.cancelled() else "waiting" if ledger.stop() else "finished"
    except KeyboardInterrupt:
        state = "interrupted"
        raise
    finally:
        ledger.flush()
        report = replace(tally.report(round(time.monotonic() - began, 3)), withheld=withheld, job=job_id)
        parts.catalog.jobs.finish(job_id, report, state)
    return report


def _may_have_leftovers(job_id: int, task: Task, catalog: Catalog) -> bool:
    """Whether this job, or the last one before it that ended, left something half done. What another job is writing
    right now looks the same: as long as one runs, nothing is collected."""
    before = (job.state for job in catalog.jobs.page(_OLDER, before=job_id) if job.state not in ("waiting", "running"))
    return (task.resumed or next(before, "finished") != "finished") and not catalog.jobs.others_run(job_id)


def _build_graph(task: Task, parts: Parts, ledger: Ledger) -> None:
    def stop() -> bool:
        return ledger.stop() or bool(task.leave_graph and task.leave_graph())

    if task.order.give_way and not stop():
        task.order.give_way()
    if not stop():
        parts.index.optimize(task.order.give_way, stop)


def make_plan(job_id: int, task: Task, catalog: Catalog, *, ocr: bool) -> Plan:
    """What the job would do, in its rows; nothing else is touched."""
    catalog.jobs.forget(job_id, states=("planned",))
    return plan(
        job_id,
        task.listing(),
        catalog,
        collection=task.order.collection,
        groups=task.order.groups,
        origin=task.origin,
        digest=task.digest,
        again=task.again,
        renew=task.order.renew_stale,
        ocr=ocr,
    )


def plan_retry(job_id: int, task: Task, parts: Parts) -> Plan:
    """Plan again what failed. What lies in a container is had through the container it lies in."""
    jobs = parts.catalog.jobs
    again: dict[str, JobFile] = {}
    for file in jobs.files(job_id, states=("failed",)):
        if (file.passing or task.retry == "all") and (outer := _outermost(job_id, file, task, parts)):
            again[outer.source] = outer
    jobs.plan(job_id, list(again.values()))
    return Plan(jobs.counts(job_id))


def _outermost(job_id: int, file: JobFile, task: Task, parts: Parts) -> JobFile | None:
    """What brings a failed file again: the file as the job found it, or the outermost container as it was found or
    kept; None where nothing does. A name is never taken for a place: whoever made the file chose it."""
    if file.locator:
        if _can_be_had(file, task):
            return replace(file, action="changed", state="planned", outcome="", reason="")
        return replace(file, action="unreadable", locator=b"", outcome="failed", reason=_NOT_KEPT, passing=False)
    names = file.source.split(MEMBER)
    for depth in range(1, len(names)):
        source = MEMBER.join(names[:depth])
        outer = parts.catalog.jobs.file(job_id, source)
        if outer and outer.locator and _can_be_had(outer, task):
            # one that was moved and is in has taken its old self's place already
            replaces = "" if outer.state == "done" else outer.replaces
            return replace(outer, action="changed", state="planned", outcome="", reason="", replaces=replaces)
        row = parts.catalog.by_source(task.order.collection, source)
        if row and row.sha256 and (kept := parts.files.original(row.sha256)).is_file():
            return JobFile(source, "changed", os.fsencode(kept), row.fingerprint, row.size)
    return None


def _can_be_had(file: JobFile, task: Task) -> bool:
    """Whether a locator still leads somewhere; one of this machine is never relative, and what was sent may be gone."""
    path = Path(os.fsdecode(file.locator))
    return bool(task.fetch) or (path.is_absolute() and (path.is_file() or not task.named_by_source))


def _note_plan(job_id: int, planned: Plan, parts: Parts, tally: Tally) -> None:
    tally.skipped.extend(planned.skipped)
    tally.counts["unchanged"] += planned.of("unchanged")
    for file in parts.catalog.jobs.files(job_id, actions=("unreadable",), states=("failed",)):
        tally.failures.append(Failure(file.source, file.reason))
        tally.counts["failed"] += 1
    if tally.watcher:
        files, size = parts.catalog.jobs.work(job_id, _TAKEN)
        tally.watcher.found(files, size)


def _take_in(job_id: int, task: Task, order: Order, parts: Parts, tally: Tally, ledger: Ledger) -> None:
    """All planned files; those that failed for a reason that may pass are tried again at the end, some time later."""
    wait = _FIRST_WAIT_S
    for attempt in range(1, _TRIES + 1):
        run_files(_found(job_id, task, parts), order, parts, tally)
        ledger.flush()
        again = _to_try_again(job_id, parts)
        if not again or attempt == _TRIES or ledger.stop():
            return
        _sleep(wait, ledger)
        wait *= 4
        tally.forget({file.source for file in again})
        parts.catalog.jobs.plan(job_id, [replace(file, state="planned", outcome="", reason="") for file in again])


def _to_try_again(job_id: int, parts: Parts) -> Sequence[JobFile]:
    return [
        file
        for file in parts.catalog.jobs.files(job_id, states=("failed",), actions=_TAKEN)
        if file.passing and file.locator and file.attempts < _TRIES
    ]


def _sleep(seconds: float, ledger: Ledger) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not ledger.stop():
        time.sleep(0.2)


def _found(job_id: int, task: Task, parts: Parts) -> Iterator[FoundFile]:
    for file in parts.catalog.jobs.files(job_id, states=("planned",), actions=_TAKEN):
        yield _found_file(file, task, parts)


def _found_file(file: JobFile, task: Task, parts: Parts) -> FoundFile:
    path = Path(os.fsdecode(file.locator))
    row = parts.catalog.by_source(task.order.collection, file.source) if task.order.renew_stale or task.retry else None
    if task.order.renew_stale:
        return _kept_file(file, path, row, None)
    if row and path == parts.files.original(row.sha256):
        return _kept_file(file, path, row, row.groups)
    return FoundFile(
        path,
        file.source,
        name=PurePath(file.source).name if task.named_by_source else path.name,
        fingerprint=file.fingerprint,
        groups=file.groups,
        replaces=file.replaces,
        fetch=_fetched(file, task.fetch, parts) if task.fetch else None,
    )


def _kept_file(file: JobFile, original: Path, row: DocumentRow | None, groups: frozenset[str] | None) -> FoundFile:
    """A file that is read from its original, which has neither its name nor its place."""
    return FoundFile(
        original,
        file.source,
        name=PurePath(file.source).name,
        fingerprint=file.fingerprint,
        groups=groups,
        container=row.container if row else "",
        modified=row.modified if row else None,
    )


def _fetched(file: JobFile, fetch: Fetch, parts: Parts) -> Callable[[Stop], AbstractContextManager[Path]]:
    @contextmanager
    def fetched(stop: Stop) -> Iterator[Path]:
        # before its bytes come, each time anew: the next run may be allowed more
        refuse_large(file.size, parts.settings)
        with fetch(file, stop) as path:
            yield path

    return fetched


def _remove_gone(job_id: int, origin: str, parts: Parts, tally: Tally) -> None:
    """What the source has no more, and what a container held that never came in, since its run broke off before it."""
    gone = parts.catalog.jobs.files(job_id, actions=("gone",), states=("planned",))
    while page := [file.replaces for file in islice(gone, _PAGE)]:
        _remove(page, parts, tally)
    if origin:
        _remove([row.id for row in parts.catalog.astray(origin)], parts, tally)


def _remove(documents: Sequence[str], parts: Parts, tally: Tally) -> None:
    """Rows first, since what the catalog doesn't confirm is found by nobody; then chunks; then bytes nobody needs."""
    rows = {row.id: row for document in documents for row in parts.catalog.with_members(document)}
    if not rows:
        return
    parts.catalog.removals.take_away(list(rows))
    follow(parts.catalog, parts.index, parts.files)
    for row in rows.values():
        tally.file_done(row.source, "removed")
