"""Jobs: runs of ingestion, followed while they go, and taken up again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from ingest.jobs.asked import is_of
from ragapp.catalog.rows import FileState, JobRow
from ragapp.serve.callers import Admin, Caller, Curator, caller_of
from ragapp.serve.document_shapes import JobFileOut, JobOut, job_files_out, job_out
from ragapp.serve.house import House, house_of
from ragapp.serve.naming import OF_CONVERSATIONS, group_names, refuse_reserved
from ragapp.serve.problems import not_found
from ragapp.serve.shapes import Name, Wire

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
JobId = Annotated[int, Path(ge=1, le=2**31, description="The job's number.")]
_EVERY_S = 0.5
_KEEP_ALIVE_S = 15.0
_ENDED = ("finished", "failed", "cancelled", "interrupted")
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`progress` with the job whenever it has changed, `done` with the job at its end.",
        "content": {"text/event-stream": {}},
    }
}


class RetryIn(Wire):
    failed: bool = Field(False, description="Also what failed for a reason that does not pass by itself.")


class PathsIn(Wire):
    """Files and folders of the machine that the service runs on."""

    paths: list[Annotated[str, Field(min_length=1, max_length=4096)]] = Field(min_length=1, max_length=1000)
    collection: Name = "default"
    groups: list[Name] | None = Field(
        None,
        min_length=1,
        max_length=500,
        description="Who may see them. Left out, new documents get the collection's groups, and known ones keep "
        "theirs; so do those whose groups were chosen by hand, where this would show them to others.",
        examples=[["staff"]],
    )


@router.get("", operation_id="list_jobs")
def list_jobs(
    request: Request,
    caller: Curator,
    before: Annotated[int | None, Query(ge=1, le=2**31, description="The id that the page before ended with.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> list[JobOut]:
    """Jobs of the collections that one looks after, newest first."""
    house = house_of(request)
    rows = house.catalog.jobs.page(
        limit,
        before=before,
        collections=None if caller.is_admin else caller.person.curates,
        hidden_prefix=OF_CONVERSATIONS,
    )
    return [_out(house, caller, row) for row in rows]


@router.post("", operation_id="ingest_paths", status_code=202)
def ingest_paths(request: Request, given: PathsIn, caller: Admin) -> JobOut:
    """Take in files and folders of the service's own machine, once; nothing is removed."""
    house = house_of(request)
    refuse_reserved(given.collection, "collection")
    groups = None if given.groups is None else group_names(given.groups)
    job_id = house.rag.intake.note_paths([FilePath(path) for path in given.paths], given.collection, groups)
    house.note(caller.person.id, "job.ingest", given.collection, job=job_id, paths=len(given.paths))
    house.work.add(job_id)
    return _out(house, caller, _job(house, caller, job_id))


@router.post("/stale", operation_id="renew_stale", status_code=202)
def renew_stale(request: Request, caller: Admin) -> list[JobOut]:
    """Read anew what an older version of the parser read; the old text answers until the new one stands."""
    house = house_of(request)
    ids = house.rag.intake.note_stale()
    house.note(caller.person.id, "job.stale", "", jobs=ids)
    for job_id in ids:
        house.work.add(job_id)
    return [_out(house, caller, _job(house, caller, job_id)) for job_id in ids]


@router.get("/{job_id}", operation_id="get_job")
def get_job(request: Request, job_id: JobId, caller: Curator) -> JobOut:
    """One job, with its progress while it runs."""
    house = house_of(request)
    return _out(house, caller, _job(house, caller, job_id))


@router.get("/{job_id}/files", operation_id="list_job_files")
def list_job_files(
    request: Request,
    job_id: JobId,
    caller: Curator,
    state: Annotated[FileState | None, Query(description="Only files of this state.")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> list[JobFileOut]:
    """What is to be done with each file of a job, and what became of it."""
    house = house_of(request)
    _job(house, caller, job_id)
    found = house.catalog.jobs.files(job_id, states=(state,) if state else ())
    return job_files_out(islice(found, limit), admin=caller.is_admin)


@router.get("/{job_id}/events", operation_id="job_events", response_class=StreamingResponse, responses=_STREAM)
async def job_events(request: Request, job_id: JobId, caller: Curator) -> StreamingResponse:
    """A job as it goes on."""
    house = house_of(request)
    await asyncio.to_thread(_job, house, caller, job_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(request, job_id), media_type="text/event-stream", headers=headers)


@router.post("/{job_id}/cancel", operation_id="cancel_job")
def cancel_job(request: Request, job_id: JobId, caller: Curator) -> JobOut:
    """Stop a job after what it is writing; what is done stays done."""
    house = house_of(request)
    _job(house, caller, job_id)
    house.catalog.jobs.cancel(job_id)
    house.note(caller.person.id, "job.cancel", str(job_id))
    return _out(house, caller, _job(house, caller, job_id))


@router.post("/{job_id}/resume", operation_id="resume_job", status_code=202)
def resume_job(request: Request, job_id: JobId, caller: Curator) -> JobOut:
    """Go on with a job that was interrupted, cancelled, or failed as a whole."""
    house = house_of(request)
    _job(house, caller, job_id)
    house.work.again(job_id)
    house.note(caller.person.id, "job.resume", str(job_id))
    return _out(house, caller, _job(house, caller, job_id))


@router.post("/{job_id}/retry", operation_id="retry_job", status_code=202)
def retry_job(request: Request, job_id: JobId, given: RetryIn, caller: Curator) -> JobOut:
    """Try again what failed in a job."""
    house = house_of(request)
    _job(house, caller, job_id)
    house.work.again(job_id, "all" if given.failed else "passing")
    house.note(caller.person.id, "job.retry", str(job_id), failed=given.failed)
    return _out(house, caller, _job(house, caller, job_id))


async def _events(request: Request, job_id: int) -> AsyncIterator[str]:
    told, silent = "", 0.0
    while True:
        job = await asyncio.to_thread(_seen, request, job_id)
        if job is None:
            return
        shown = job.model_dump_json()
        if job.state in _ENDED:
            yield f"event: done\ndata: {shown}\n\n"
            return
        if shown != told:
            told, silent = shown, 0.0
            yield f"event: progress\ndata: {shown}\n\n"
        elif silent >= _KEEP_ALIVE_S:
            silent = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(_EVERY_S)
        silent += _EVERY_S


def _seen(request: Request, job_id: int) -> JobOut | None:
    """The job as long as whoever reads of it is let in and may; None afterwards."""
    house, caller = house_of(request), caller_of(request)
    row = house.catalog.jobs.job(job_id)
    return _out(house, caller, row) if row and caller and _may(house, caller, row) else None


def _job(house: House, caller: Caller, job_id: int) -> JobRow:
    row = house.catalog.jobs.job(job_id)
    if row is None or not _may(house, caller, row):
        raise not_found("job")
    return row


def _may(house: House, caller: Caller, row: JobRow) -> bool:
    collection = _collection(house, row)
    if collection is not None and collection.startswith(OF_CONVERSATIONS):
        # the names of what people attach are theirs; they follow it by the conversation's files
        return False
    return caller.is_admin or (collection is not None and caller.may_curate(collection))


def _collection(house: House, row: JobRow) -> str | None:
    if "collection" in row.request:
        return str(row.request["collection"])
    # an older version noted the source's name alone, which another source may have by now
    known = (origin for origin in house.catalog.origins.list() if origin.name == row.origin)
    return next((origin.collection for origin in known if is_of(row, origin)), None)


def _out(house: House, caller: Caller, row: JobRow) -> JobOut:
    progress = house.work.progress(row.id)
    return job_out(row, progress, origin_collection=_collection(house, row), admin=caller.is_admin)
