"""Jobs: what was asked, what became of each file, and each attempt; kept so that any of it can be taken up again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, delete, func, insert, not_, select, type_coerce, update

from ragapp.catalog.mapping import to_file_table, to_job_file, to_job_row
from ragapp.catalog.process import is_running, own_mark
from ragapp.catalog.rows import FileAction, JobFile, JobKind, JobReport, JobRow, JobState, OriginRow
from ragapp.catalog.sessions import Sessions
from ragapp.catalog.tables import JobAttemptTable, JobFileTable, JobTable, OriginTable
from ragapp.errors import CatalogError

_COUNTS = ("added", "changed", "unchanged", "removed", "failed", "chunks")
_PAGE = 500
"""Files read at once, so that a job of a million doesn't lie in memory."""


class Jobs:
    """The jobs of one catalog."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def start(
        self,
        kind: JobKind,
        command: str,
        request: Mapping[str, Any] | None = None,
        origin: str = "",
        *,
        waiting: bool = False,
    ) -> int:
        """Note that a job began, or that it waits for its turn; returns its id."""
        job = JobTable(
            kind=kind,
            command=command,
            request=json.dumps(request or {}),
            origin=origin,
            process=own_mark(),
            started=datetime.now(UTC),
            state="waiting" if waiting else "running",
            seconds=0.0,
            reason="",
            kept=0,
            **dict.fromkeys(_COUNTS, 0),
        )
        with self._sessions.writing() as session:
            session.add(job)
            session.flush()
            return job.id

    def begin(self, job_id: int) -> JobRow | None:
        """A waiting job's turn has come; None where somebody cancelled it meanwhile."""
        with self._sessions.writing() as session:
            job = session.get(JobTable, job_id)
            if job is None or job.state != "waiting":
                return None
            job.process, job.state, job.started = own_mark(), "running", datetime.now(UTC)
            return to_job_row(job)

    def put_back(self, job_id: int) -> None:
        """A job that this process can't bring to its end goes on with the next one that looks for such; one that came
        to its end, or was cancelled, stays as it is."""
        with self._sessions.writing() as session:
            session.execute(
                update(JobTable)
                .where(JobTable.id == job_id, JobTable.state.not_in(("finished", "cancelled")))
                .values(state="waiting", process=own_mark(), ended=None)
            )

    def orphans(self) -> tuple[int, ...]:
        """Jobs that ran or waited when their process ended without a word, oldest first."""
        wanted = select(JobTable).where(JobTable.state.in_(("waiting", "running"))).order_by(JobTable.id)
        with self._sessions.reading() as session:
            return tuple(job.id for job in session.scalars(wanted) if to_job_row(job).state == "interrupted")

    def take_up(self, job_id: int, *, waiting: bool = False, finished: bool = False) -> JobRow:
        """Make a job that ended early this process's own again, to run or to wait for its turn; with `finished` also
        one that came to its end. Raises CatalogError for any other, and for one that was never there."""
        with self._sessions.writing() as session:
            job = session.get(JobTable, job_id)
            if job is None:
                raise CatalogError(f"There is no job {job_id}; `ragapp jobs list` shows the jobs there are.")
            if (state := to_job_row(job).state) in ("waiting", "running"):
                raise CatalogError(f"Job {job_id} is {state} already; `ragapp jobs cancel {job_id}` stops it.")
            if state == "finished" and not finished:
                raise CatalogError(
                    f"Job {job_id} has finished; there is nothing to go on with. `ragapp jobs retry {job_id}` tries "
                    "again what failed in it."
                )
            job.process, job.state, job.ended = own_mark(), "waiting" if waiting else "running", None
            job.reason = ""
            return to_job_row(job)

    def finish(self, job_id: int, report: JobReport, state: JobState) -> None:
        """Note how a job ended and what it did, which for one that was taken up again comes to what it did before; the
        files that it left as they were are forgotten."""
        failed = select(func.count()).where(JobFileTable.job_id == job_id, JobFileTable.state == "failed")
        with self._sessions.writing() as session:
            job = session.get_one(JobTable, job_id)
            # what was taken in before the job was stopped is found unchanged when it goes on
            job.unchanged = max(job.unchanged, report.unchanged - job.added - job.changed)
            job.added += report.added
            job.changed += report.changed
            job.removed += report.removed
            job.chunks += report.chunks
            job.kept += len(report.kept)
            job.seconds += report.seconds
            job.failed = session.scalar(failed) or 0
            job.ended, job.state, job.reason = datetime.now(UTC), state, report.withheld
            session.execute(
                delete(JobFileTable).where(JobFileTable.job_id == job_id, JobFileTable.action == "unchanged")
            )

    def give_up(self, job_id: int, reason: str = "") -> None:
        """A job that ended before it could say how has failed; one that failed gets its reason."""
        with self._sessions.writing() as session:
            session.execute(
                update(JobTable)
                .where(JobTable.id == job_id, JobTable.state.in_(("running", "failed")))
                .values(state="failed", ended=datetime.now(UTC), reason=reason)
            )

    def discard(self, job_id: int) -> None:
        """Forget a job that was only to be looked at."""
        with self._sessions.writing() as session:
            session.execute(delete(JobTable).where(JobTable.id == job_id))

    def job(self, job_id: int) -> JobRow | None:
        """One job; None where there is none of this id."""
        with self._sessions.reading() as session:
            found = session.get(JobTable, job_id)
            return to_job_row(found) if found else None

    def list(self, limit: int = 10, origin: OriginRow | None = None) -> tuple[JobRow, ...]:
        """The last jobs, newest first; of a source those since it has its name. One whose process is gone without a
        word counts as interrupted."""
        wanted = select(JobTable).order_by(JobTable.id.desc()).limit(limit)
        if origin is not None:
            wanted = wanted.where(JobTable.origin == origin.name)
            if origin.created is not None:
                wanted = wanted.where(JobTable.started >= origin.created)
        with self._sessions.reading() as session:
            return tuple(to_job_row(job) for job in session.scalars(wanted))

    def page(
        self,
        limit: int,
        *,
        before: int | None = None,
        collections: frozenset[str] | None = None,
        hidden_prefix: str = "",
    ) -> tuple[JobRow, ...]:
        """Jobs that began before the one with this id, newest first: those of these collections, or of all where it is
        None; of collections whose names begin with `hidden_prefix` none."""
        asked_for = type_coerce(JobTable.request, JSON)["collection"].as_string()
        # one of a synced source that an older version began names no collection: it goes where its source does, but
        # not where another one does that got the name later
        of_origin = (
            select(OriginTable.collection)
            .where(OriginTable.name == JobTable.origin, OriginTable.created <= JobTable.started)
            .scalar_subquery()
        )
        collection = func.coalesce(asked_for, of_origin, "")
        wanted = select(JobTable).order_by(JobTable.id.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(JobTable.id < before)
        if collections is not None:
            wanted = wanted.where(collection.in_(collections))
        if hidden_prefix:
            wanted = wanted.where(not_(collection.startswith(hidden_prefix, autoescape=True)))
        with self._sessions.reading() as session:
            return tuple(to_job_row(job) for job in session.scalars(wanted))

    def cancel(self, job_id: int) -> JobState:
        """Ask a running job to stop after the files it is at; returns the state it has now. Ended jobs stay ended."""
        with self._sessions.writing() as session:
            job = session.get(JobTable, job_id)
            if job is None:
                raise CatalogError(f"There is no job {job_id}; `ragapp jobs list` shows the jobs there are.")
            state = to_job_row(job).state
            if state in ("waiting", "running", "interrupted"):
                job.ended = None if state == "running" else datetime.now(UTC)
                job.state = "cancelled"
            return state

    def others_run(self, job_id: int) -> bool:
        """Whether another job is at work now, be it one that was asked to stop."""
        wanted = select(JobTable.process).where(
            JobTable.id != job_id, JobTable.ended.is_(None), JobTable.state.in_(("running", "cancelled"))
        )
        with self._sessions.reading() as session:
            return any(is_running(process) for process in session.scalars(wanted))

    def is_cancelled(self, job_id: int) -> bool:
        """Whether somebody asked the job to stop."""
        with self._sessions.reading() as session:
            return session.scalar(select(JobTable.state).where(JobTable.id == job_id)) == "cancelled"

    # the files of a job

    def plan(self, job_id: int, files: Sequence[JobFile]) -> None:
        """Add files to a job; one that it knows already gets its new plan, and keeps its attempts."""
        if not files:
            return
        rows = [to_file_table(job_id, file) for file in files]
        with self._sessions.writing() as session:
            known = set(
                session.scalars(
                    select(JobFileTable.source).where(
                        JobFileTable.job_id == job_id, JobFileTable.source.in_([file.source for file in files])
                    )
                )
            )
            fresh = [row for row in rows if row["source"] not in known]
            if fresh:
                session.execute(insert(JobFileTable), fresh)
            for row in rows:
                if row["source"] in known:
                    session.execute(
                        update(JobFileTable)
                        .where(JobFileTable.job_id == job_id, JobFileTable.source == row["source"])
                        .values({key: value for key, value in row.items() if key not in ("job_id", "source")})
                    )

    def settle(self, job_id: int, files: Iterable[tuple[str, str, str, bool]]) -> None:
        """Note what became of files: (source, outcome, reason, passing) of each; unknown ones are added."""
        now = datetime.now(UTC)
        with self._sessions.writing() as session:
            for source, outcome, reason, passing in files:
                state = "failed" if outcome == "failed" else "done"
                found = session.scalar(
                    update(JobFileTable)
                    .where(JobFileTable.job_id == job_id, JobFileTable.source == source)
                    .values(state=state, outcome=outcome, reason=reason, passing=passing)
                    .returning(JobFileTable.id)
                )
                if found is None:
                    file = JobFile(source, "new", state=state, outcome=outcome, reason=reason, passing=passing)  # type: ignore[arg-type]
                    table = JobFileTable(**to_file_table(job_id, file))
                    session.add(table)
                    session.flush()
                    found = table.id
                session.add(JobAttemptTable(file_id=found, ended=now, outcome=outcome, reason=reason))

    def files(
        self, job_id: int, *, states: Sequence[str] = (), actions: Sequence[FileAction] = ()
    ) -> Iterator[JobFile]:
        """The files of a job by the order they were planned in, read page by page."""
        last = 0
        attempts = (
            select(func.count())
            .where(JobAttemptTable.file_id == JobFileTable.id)
            .correlate(JobFileTable)
            .scalar_subquery()
        )
        while True:
            wanted = select(JobFileTable, attempts).where(JobFileTable.job_id == job_id, JobFileTable.id > last)
            if states:
                wanted = wanted.where(JobFileTable.state.in_(states))
            if actions:
                wanted = wanted.where(JobFileTable.action.in_(actions))
            with self._sessions.reading() as session:
                found = [
                    (file.id, to_job_file(file, tries))
                    for file, tries in session.execute(wanted.order_by(JobFileTable.id).limit(_PAGE))
                ]
            if not found:
                return
            yield from (file for _, file in found)
            last = found[-1][0]

    def file(self, job_id: int, source: str) -> JobFile | None:
        """One file of a job; None where the job has none of this name."""
        wanted = select(JobFileTable).where(JobFileTable.job_id == job_id, JobFileTable.source == source)
        with self._sessions.reading() as session:
            found = session.scalar(wanted)
            return to_job_file(found) if found else None

    def counts(self, job_id: int) -> dict[FileAction, int]:
        """How many files are to be treated how."""
        wanted = (
            select(JobFileTable.action, func.count()).where(JobFileTable.job_id == job_id).group_by(JobFileTable.action)
        )
        with self._sessions.reading() as session:
            return {row[0]: row[1] for row in session.execute(wanted)}  # type: ignore[misc]

    def work(self, job_id: int, actions: Sequence[FileAction]) -> tuple[int, int]:
        """How many files wait to be treated so, and their bytes together."""
        wanted = select(func.count(), func.sum(JobFileTable.size)).where(
            JobFileTable.job_id == job_id, JobFileTable.action.in_(actions), JobFileTable.state == "planned"
        )
        with self._sessions.reading() as session:
            files, size = session.execute(wanted).one()
            return files, size or 0

    def drop(self, job_id: int, sources: Sequence[str]) -> None:
        """Take single files off a job."""
        with self._sessions.writing() as session:
            for start in range(0, len(sources), _PAGE):
                session.execute(
                    delete(JobFileTable).where(
                        JobFileTable.job_id == job_id, JobFileTable.source.in_(sources[start : start + _PAGE])
                    )
                )

    def forget(self, job_id: int, *, states: Sequence[str] = ()) -> None:
        """Take files of these states (all, where none is named) off a job."""
        wanted = delete(JobFileTable).where(JobFileTable.job_id == job_id)
        with self._sessions.writing() as session:
            session.execute(wanted.where(JobFileTable.state.in_(states)) if states else wanted)
