"""Between the catalog's tables and the frozen rows that it gives and takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from ragapp.catalog.process import is_running
from ragapp.catalog.rows import DocumentRow, JobFile, JobRow, JobState, OriginRow
from ragapp.catalog.tables import CollectionTable, DocumentTable, GroupTable, JobFileTable, JobTable, OriginTable
from ragapp.types import Principal


def visible_to(principal: Principal) -> Select[Any]:
    return select(GroupTable.document_id).where(GroupTable.group.in_(principal.visible_groups))


def add_collection(session: Session, name: str, now: datetime) -> None:
    if session.get(CollectionTable, name) is None:
        session.add(CollectionTable(name=name, created=now))


def replace_groups(session: Session, document_id: str, groups: frozenset[str]) -> None:
    session.flush()
    session.execute(delete(GroupTable).where(GroupTable.document_id == document_id))
    session.add_all(GroupTable(document_id=document_id, group=group) for group in sorted(groups))


_SAME = (
    "id", "collection", "source", "revision", "reason", "sha256", "size", "file_type", "title", "modified", "dated",
    "parser", "parser_version", "language", "pages", "chunks", "added", "changed", "state", "passing", "origin",
    "fingerprint", "container",
)  # fmt: skip


def to_table(row: DocumentRow) -> DocumentTable:
    return DocumentTable(**{name: getattr(row, name) for name in _SAME})


def to_rows(session: Session, found: Sequence[DocumentTable]) -> list[DocumentRow]:
    groups: dict[str, set[str]] = {document.id: set() for document in found}
    wanted = select(GroupTable.document_id, GroupTable.group)
    # a long list is cheaper to read whole than to name
    if len(found) <= 500:
        wanted = wanted.where(GroupTable.document_id.in_(groups))
    for document, group in session.execute(wanted):
        if document in groups:
            groups[document].add(group)
    return [
        DocumentRow(groups=frozenset(groups[document.id]), **{name: getattr(document, name) for name in _SAME})
        for document in found
    ]


def to_job_row(job: JobTable) -> JobRow:
    state: JobState = job.state  # type: ignore[assignment]
    if state in ("waiting", "running") and not is_running(job.process):
        state = "interrupted"
    return JobRow(
        job.id,
        job.kind,  # type: ignore[arg-type]
        job.command,
        job.origin,
        json.loads(job.request),
        job.started,
        job.ended,
        state,
        job.added,
        job.changed,
        job.unchanged,
        job.removed,
        job.failed,
        job.chunks,
        job.seconds,
        job.reason,
        job.kept,
    )


def to_file_table(job_id: int, file: JobFile) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "source": file.source,
        "locator": file.locator,
        "fingerprint": file.fingerprint,
        "size": file.size,
        "groups": None if file.groups is None else json.dumps(sorted(file.groups)),
        "action": file.action,
        "state": file.state,
        "outcome": file.outcome,
        "reason": file.reason,
        "passing": file.passing,
        "replaces": file.replaces,
    }


def to_job_file(file: JobFileTable, attempts: int = 0) -> JobFile:
    return JobFile(
        file.source,
        file.action,  # type: ignore[arg-type]
        file.locator,
        file.fingerprint,
        file.size,
        None if file.groups is None else frozenset(json.loads(file.groups)),
        file.state,  # type: ignore[arg-type]
        file.outcome,
        file.reason,
        file.passing,
        file.replaces,
        attempts,
    )


def to_origin_table(row: OriginRow, created: datetime) -> OriginTable:
    return OriginTable(
        name=row.name,
        url=row.url,
        collection=row.collection,
        groups=json.dumps(sorted(row.groups)),
        rules=json.dumps([[pattern, sorted(groups)] for pattern, groups in row.rules]),
        include=json.dumps(row.include),
        exclude=json.dumps(row.exclude),
        created=created,
    )


def to_origin_row(origin: OriginTable) -> OriginRow:
    return OriginRow(
        origin.name,
        origin.url,
        origin.collection,
        frozenset(json.loads(origin.groups)),
        tuple((pattern, frozenset(groups)) for pattern, groups in json.loads(origin.rules)),
        tuple(json.loads(origin.include)),
        tuple(json.loads(origin.exclude)),
        origin.created,
    )
