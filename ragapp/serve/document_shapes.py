"""Documents, jobs and sources as they go over the wire."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydantic import BaseModel, Field

from ragapp.answer.unseen import seen_line
from ragapp.catalog.rows import DocumentRow, DocumentState, FileAction, FileState, JobFile, JobKind, JobRow, JobState
from ragapp.serve.wording import names_a_place, told_text
from ragapp.serve.work import Progress
from ragapp.types import Box


class DocumentOut(BaseModel):
    id: str
    collection: str
    source: str = Field(description="What it is called: a path, an address, or the name it was sent under.")
    title: str
    type: str = Field(examples=["pdf"])
    state: DocumentState = Field(description="live: it is found; failed: its file could not be read.")
    reason: str = Field(description="Why the newest version of its file is not in; empty where it is.")
    revision: int
    size: int = Field(description="Bytes of the original.")
    pages: int | None
    chunks: int
    groups: list[str] = Field(description="Who may see it; only for those who look after its collection.")
    origin: str = Field(description="The source that is synced and brought it; empty where somebody sent it.")
    container: str = Field(description="The id of the mail or archive that it lies in; empty for most.")
    added: datetime | None
    changed: datetime | None
    modified: datetime | None
    dated: datetime | None = Field(description="The date that the document gives itself.")
    language: str | None
    stale: bool = Field(description="An older version of the parser read it.")
    may_change: bool = Field(description="Whether the caller looks after its collection.")


class DocumentsOut(BaseModel):
    documents: list[DocumentOut]
    next: str | None = Field(description="What to send as `after`, with the same filters, for the next page.")
    total: int


class BoxOut(BaseModel):
    """A rectangle in points, from the page's upper left corner."""

    page: int
    x0: float
    y0: float
    x1: float
    y1: float


class ProgressOut(BaseModel):
    files_done: int
    files_total: int | None = Field(description="None while the files are being looked for.")
    pages: int
    chunks: int
    failed: int
    bytes_done: int
    bytes_total: int
    left_s: float | None = Field(description="None while it can't be told.")
    now: list[str] = Field(description="What is being read.")


class JobOut(BaseModel):
    id: int
    kind: JobKind
    command: str
    origin: str
    collection: str | None
    state: JobState
    started: datetime
    ended: datetime | None
    added: int
    changed: int
    unchanged: int
    removed: int
    failed: int
    chunks: int
    seconds: float
    reason: str = Field(description="Why it failed as a whole, or kept what is gone; mostly empty.")
    kept: int = Field(
        description="Documents that it was to show to others, and that are shown as was chosen for them by hand; each "
        "is among its files, with a reason."
    )
    progress: ProgressOut | None = Field(description="Only while it runs.")


class JobFileOut(BaseModel):
    source: str
    action: FileAction
    state: FileState
    outcome: str
    reason: str
    attempts: int
    may_pass: bool = Field(description="Whether trying again makes sense.")


class RuleOut(BaseModel):
    pattern: str = Field(examples=["board/**"])
    groups: list[str]


class SourceOut(BaseModel):
    name: str
    url: str
    collection: str
    groups: list[str]
    rules: list[RuleOut] = Field(description="Groups by path; the last that matches counts.")
    include: list[str]
    exclude: list[str]
    created: datetime | None
    running_job: int | None
    last_job: JobOut | None


class PreviewOut(BaseModel):
    """What a sync would do."""

    counts: dict[FileAction, int]
    files: list[JobFileOut] = Field(description="All but the unchanged ones, up to a thousand.")
    withheld: str = Field(description="Why nothing would be removed though files are gone; empty where it would.")


class CollectionOut(BaseModel):
    name: str
    title: str
    groups: list[str] | None = Field(
        description="Who sees what is put into it; none where nobody has chosen, or it isn't the caller's to know."
    )
    documents: int = Field(description="How many of its documents the caller may see.")
    may_curate: bool


def document_out(row: DocumentRow, *, may_change: bool, stale: bool, admin: bool = False) -> DocumentOut:
    return DocumentOut(
        id=row.id, collection=row.collection, source=row.source, title=seen_line(row.title), type=row.file_type,
        state=row.state, reason=told_text(row.reason, admin=admin), revision=row.revision, size=row.size,
        pages=row.pages, chunks=row.chunks, groups=sorted(row.groups) if may_change else [], origin=row.origin,
        container=row.container, added=row.added, changed=row.changed, modified=row.modified, dated=row.dated,
        language=row.language, stale=stale, may_change=may_change,
    )  # fmt: skip


def box_out(box: Box) -> BoxOut:
    return BoxOut(page=box.page, x0=box.x0, y0=box.y0, x1=box.x1, y1=box.y1)


def job_out(
    job: JobRow, progress: Progress | None = None, *, origin_collection: str | None = None, admin: bool = False
) -> JobOut:
    collection = job.request.get("collection", origin_collection)
    shown = None
    if progress is not None:
        shown = ProgressOut(**{name: getattr(progress, name) for name in ProgressOut.model_fields if name != "now"},
                            now=list(progress.now))  # fmt: skip
    command = job.command if admin or not names_a_place(job.command) else job.kind
    return JobOut(
        id=job.id, kind=job.kind, command=command, origin=job.origin, collection=collection, state=job.state,
        started=job.started, ended=job.ended, added=job.added, changed=job.changed, unchanged=job.unchanged,
        removed=job.removed, failed=job.failed, chunks=job.chunks, seconds=job.seconds,
        reason=told_text(job.reason, admin=admin), kept=job.kept, progress=shown,
    )  # fmt: skip


def job_files_out(files: Iterable[JobFile], *, admin: bool = False) -> list[JobFileOut]:
    return [
        JobFileOut(
            source=file.source,
            action=file.action,
            state=file.state,
            outcome=file.outcome,
            reason=told_text(file.reason, admin=admin) if file.action != "gone" else "",
            attempts=file.attempts,
            may_pass=file.passing,
        )
        for file in files
    ]
