"""A backup on behalf of `ragapp backup`, which can't open what the service has open."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field

from ragapp.serve.callers import Admin, sent_by_owner
from ragapp.serve.house import house_of
from ragapp.serve.problems import forbidden
from ragapp.serve.shapes import Wire

# not for programs: where it is written is the owner of the data folder's to say, not an admin's in a browser
router = APIRouter(prefix="/v1/backups", include_in_schema=False)


class BackupIn(Wire):
    file: Annotated[str, Field(min_length=1, max_length=4096)]


@router.post("")
def make_backup(request: Request, given: BackupIn, caller: Admin) -> dict[str, Any]:
    """Write it on this machine, while searches go on."""
    house = house_of(request)
    if not sent_by_owner(request):
        raise forbidden("Only the command writes a backup, on the service's machine: ragapp backup FILE")
    made = house.rag.backup(Path(given.file))
    house.note(caller.person.id, "backup.make", documents=made.head.documents)
    return made.as_json()
