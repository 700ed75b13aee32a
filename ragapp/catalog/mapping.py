"""Between the catalog's tables and the frozen rows that it gives and takes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from ragapp.catalog.process import is_running
from ragapp.catalog.rows import DocumentRow, RunRow, RunState
from ragapp.catalog.tables import CollectionTable, DocumentTable, GroupTable, RunTable
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
    "parser", "parser_version", "language", "pages", "chunks", "added", "changed", "state",
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


def to_run_row(run: RunTable) -> RunRow:
    state: RunState = run.state  # type: ignore[assignment]
    if state == "running" and not is_running(run.process):
        state = "interrupted"
    return RunRow(
        run.id,
        run.command,
        run.started,
        run.ended,
        state,
        run.added,
        run.changed,
        run.unchanged,
        run.removed,
        run.failed,
        run.chunks,
        run.seconds,
    )
