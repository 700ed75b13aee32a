"""Files attached to one conversation: seen in it alone, and gone when their time is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, File, Path, Request, Response, UploadFile
from pydantic import BaseModel, Field

from ingest.origins.uploads import source_of, stage
from ragapp.catalog.rows import DocumentState
from ragapp.serve.callers import Asker
from ragapp.serve.forgetting import loose_files, remove_files
from ragapp.serve.house import House, house_of
from ragapp.serve.problems import Refused, not_found
from ragapp.serve.rights import conversation_group
from ragapp.serve.routes.conversations import ConversationId, own
from ragapp.serve.shapes import Id
from ragapp.serve.wording import told_text
from ragapp.types import document_id

router = APIRouter(prefix="/v1/conversations/{conversation_id}/files", tags=["conversations"])
_MOST = 20
"""Files of one conversation."""


class AttachmentOut(BaseModel):
    document_id: str
    name: str
    state: DocumentState | None = Field(description="none while it is being read.")
    reason: str = Field(description="Why it could not be read; empty otherwise.")
    expires: datetime


@router.get("", operation_id="list_attachments")
def list_attachments(request: Request, conversation_id: ConversationId, caller: Asker) -> list[AttachmentOut]:
    """The files of a conversation."""
    house = house_of(request)
    return _attached(house, own(house, caller, conversation_id).id)


@router.post("", operation_id="attach_file", status_code=HTTPStatus.ACCEPTED)
def attach_file(
    request: Request, conversation_id: ConversationId, caller: Asker, file: Annotated[UploadFile, File()]
) -> list[AttachmentOut]:
    """Attach a file: questions of this conversation find it, nobody else does, and it goes when its time is over."""
    house = house_of(request)
    row = own(house, caller, conversation_id)
    name = source_of(file.filename or "")
    of_conversation = conversation_group(row.id)
    key = document_id(of_conversation, name)
    known = house.catalog.conversations.attachments(row.id)
    if key not in known and len(known) >= _MOST:
        raise Refused(HTTPStatus.CONFLICT, f"A conversation takes {_MOST} files; remove one first.")
    uploads = stage(house.data / "uploads", [(name, file.file)])
    # first the note, so that what is taken in always has somebody who takes it away
    expires = datetime.now(UTC) + timedelta(hours=house.settings.serve.attachment_hours)
    house.catalog.conversations.attach(row.id, key, name, expires)
    job_id = house.rag.intake.note_uploads(uploads, of_conversation, frozenset({of_conversation}), once=True)
    house.note(caller.person.id, "conversation.attach", row.id, job=job_id)
    house.work.add(job_id, first=True)
    return _attached(house, row.id)


@router.delete("/{document_id}", operation_id="detach_file", status_code=HTTPStatus.NO_CONTENT)
def detach_file(
    request: Request, conversation_id: ConversationId, document_id: Annotated[Id, Path()], caller: Asker
) -> Response:
    """Take a file away for good."""
    house = house_of(request)
    row = own(house, caller, conversation_id)
    if document_id not in house.catalog.conversations.attachments(row.id):
        raise not_found("file")
    # first the note: one that is still being read comes in without it, and is removed after its job
    house.catalog.conversations.detach([document_id])
    # with what lies in it, where it never came in itself
    remove_files(house.rag, dict.fromkeys([document_id, *loose_files(house.rag)]))
    house.note(caller.person.id, "conversation.detach", row.id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _attached(house: House, conversation_id: str) -> list[AttachmentOut]:
    held = house.catalog.conversations.attached(conversation_id)
    known = house.catalog.known([file.document_id for file in held])
    return [
        AttachmentOut(
            document_id=file.document_id,
            name=file.name,
            state=row.state if (row := known.get(file.document_id)) else None,
            reason=told_text(row.reason, admin=False) if row else "",
            expires=file.expires,
        )
        for file in held
    ]
