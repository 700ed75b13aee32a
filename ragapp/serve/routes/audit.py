"""Who did what and when. For admins."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from ragapp.catalog.service_rows import AuditRow
from ragapp.serve.callers import Admin
from ragapp.serve.house import house_of
from ragapp.serve.shapes import Id, Moment, Name

router = APIRouter(prefix="/v1/audit", tags=["audit"])
_COLUMNS = ("id", "at", "person_id", "person", "action", "what", "detail", "request_id")
Since = Annotated[Moment | None, Query(description="From this moment on.")]
Until = Annotated[Moment | None, Query(description="Before this moment.")]


class AuditOut(BaseModel):
    id: int
    at: datetime
    person_id: str
    person: str = Field(description="The name now; empty for nobody known, or for somebody whose data was deleted.")
    action: str = Field(examples=["answer.ask"])
    what: str
    detail: dict[str, Any]
    request_id: str


@router.get("", operation_id="list_audit")
def list_audit(
    request: Request,
    caller: Admin,
    since: Since = None,
    until: Until = None,
    person_id: Id | None = None,
    action: Name | None = None,
    before: Annotated[int | None, Query(ge=0, le=2**62, description="The id that the page before ended with.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[AuditOut]:
    """The newest entries first."""
    found = house_of(request).catalog.audit.rows(
        since=since, until=until, person_id=person_id, action=action, before=before, limit=limit
    )
    return [AuditOut(**as_json(row)) for row in found]


@router.get(
    "/export",
    operation_id="export_audit",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {
                "application/x-ndjson": {"schema": {"type": "string"}},
                "text/csv": {"schema": {"type": "string"}},
            }
        }
    },
)
def export(
    request: Request,
    caller: Admin,
    format: Annotated[Literal["jsonl", "csv"], Query()] = "jsonl",
    since: Since = None,
    until: Until = None,
) -> StreamingResponse:
    """All entries, the oldest first, as JSON lines or CSV."""
    house = house_of(request)
    house.note(caller.person.id, "audit.export", format)
    rows = house.catalog.audit.export(since, until)
    if format == "csv":
        return _download(_csv(rows), "text/csv", "audit.csv")
    return _download((json.dumps(as_json(row)) + "\n" for row in rows), "application/x-ndjson", "audit.jsonl")


def as_json(row: AuditRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _COLUMNS} | {"at": row.at.isoformat()}


def _csv(rows: Iterator[AuditRow]) -> Iterator[str]:
    sink = io.StringIO()
    writer = csv.writer(sink)
    writer.writerow(_COLUMNS)
    for row in rows:
        fields = as_json(row) | {"detail": json.dumps(row.detail)}
        writer.writerow([_harmless(str(fields[name])) for name in _COLUMNS])
        yield sink.getvalue()
        sink.seek(0)
        sink.truncate()
    yield sink.getvalue()


def _harmless(cell: str) -> str:
    """A spreadsheet would take such a cell for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else cell


def _download(lines: Iterator[str], kind: str, name: str) -> StreamingResponse:
    return StreamingResponse(lines, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
