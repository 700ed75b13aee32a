"""Documents: sent, listed, shown to groups, taken away. What lies in them is read by routes.reading."""

from __future__ import annotations

from http import HTTPStatus
from typing import IO, Annotated

from fastapi import APIRouter, BackgroundTasks, File, Form, Path, Query, Request, Response, UploadFile
from pydantic import BaseModel, Field

from ingest.care.redaction import Redaction, plan_redaction
from ingest.care.removal import plan_removal
from ingest.origins.uploads import stage
from ragapp.catalog.listing import place_of
from ragapp.catalog.rows import DocumentRow, DocumentState
from ragapp.errors import Unreadable
from ragapp.serve.callers import Asker, Caller, Curator
from ragapp.serve.cursors import LONGEST
from ragapp.serve.document_shapes import DocumentOut, DocumentsOut, JobOut, document_out, job_out
from ragapp.serve.house import House, house_of
from ragapp.serve.naming import group_names
from ragapp.serve.problems import Refused
from ragapp.serve.routes.collections import groups_of_new
from ragapp.serve.seeing import changeable_document, known_document, wanted_documents
from ragapp.serve.shapes import Id, Name, Wire

router = APIRouter(prefix="/v1/documents", tags=["documents"])
DocumentId = Annotated[Id, Path(description="The document's id.")]
MOST_FILES = 100


class GroupsIn(Wire):
    groups: list[Name] = Field(min_length=1, max_length=500, examples=[["board"]])


class RemovalOut(BaseModel):
    """What removing a document takes away."""

    documents: int = Field(description="With all that lies in it.")
    members: int = Field(description="Of these, how many lie in a mail or archive that goes.")
    bytes: int
    shared: int = Field(
        description="Originals that stay since another document that one looks after has the same bytes."
    )
    followed: list[str] = Field(description="Synced sources that would bring it in again.")


class RedactionOut(BaseModel):
    """What redacting a document takes away."""

    documents: int = Field(description="With all that lies in it, and what it lies in.")
    revisions: int = Field(description="Earlier versions that could still be shown.")
    bytes: int = Field(description="Of their originals that nothing else needs.")
    shared: int = Field(
        description="Their originals that stay since a document that one looks after has the same bytes now."
    )
    answers: int | None = Field(
        description="Kept answers that lose quotes, passages or all of their text; null for whoever isn't an admin: "
        "what others asked isn't theirs to know."
    )


@router.get("", operation_id="list_documents")
def list_documents(
    request: Request,
    caller: Asker,
    collection: Annotated[str, Query(max_length=200)] = "",
    origin: Annotated[str, Query(max_length=200, description="Only what this source brought.")] = "",
    state: Annotated[DocumentState | None, Query(description="failed ones are shown to curators.")] = None,
    find: Annotated[str, Query(max_length=200, description="Part of the name or the title.")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    after: Annotated[str, Query(max_length=LONGEST, description="`next` of the page before, as it came.")] = "",
) -> DocumentsOut:
    """Documents that one may see, and all of the collections that one looks after."""
    house = house_of(request)
    wanted = wanted_documents(caller, collection=collection, origin=origin, state=state, like=find)
    bound = "documents", caller.person.id, collection, origin, state or "", find
    behind = house.cursors.open(after, *bound) if after else ()
    rows, total = house.catalog.listing.page(wanted, limit + 1, behind)
    shown = rows[:limit]
    return DocumentsOut(
        documents=[_out(house, caller, row) for row in shown],
        next=house.cursors.seal(place_of(shown[-1]), *bound) if len(rows) > limit else None,
        total=total,
    )


@router.post("", operation_id="send_documents", status_code=HTTPStatus.ACCEPTED)
def send_documents(
    request: Request,
    caller: Curator,
    files: Annotated[list[UploadFile], File(description="One or many; a name with folders keeps them.")],
    collection: Annotated[Name, Form(description="The collection they belong to.")] = "default",
) -> JobOut:
    """Send files. They are in when the job is done: new ones for the groups of their collection, known ones for those
    who may see them already."""
    house = house_of(request)
    caller.must_curate(collection)
    groups_of_new(house, collection)
    uploads = stage(house.data / "uploads", _named(files))
    job_id = house.rag.intake.note_uploads(uploads, collection, None)
    house.note(caller.person.id, "document.send", collection, files=len(uploads), job=job_id)
    return _begun(house, job_id)


@router.get("/{document_id}", operation_id="get_document")
def get_document(request: Request, document_id: DocumentId, caller: Asker) -> DocumentOut:
    """What is known of a document."""
    house = house_of(request)
    return _out(house, caller, known_document(house, caller, document_id))


@router.put("/{document_id}/groups", operation_id="show_document_to")
def show_document_to(request: Request, document_id: DocumentId, given: GroupsIn, caller: Curator) -> DocumentOut:
    """Let exactly these groups see it; holds with the next request. What lies in it follows."""
    house = house_of(request)
    row = changeable_document(house, caller, document_id)
    groups = group_names(given.groups)
    house.rag.access.set(row.id, groups, new_group=True)
    house.note(caller.person.id, "document.groups", row.id, groups=sorted(groups))
    return _out(house, caller, known_document(house, caller, document_id))


@router.get("/{document_id}/removal", operation_id="look_at_removal")
def look_at_removal(request: Request, document_id: DocumentId, caller: Curator) -> RemovalOut:
    """What removing it would take away; nothing is done."""
    house = house_of(request)
    row = changeable_document(house, caller, document_id)
    # that somebody else's document has the same bytes is not theirs to know
    planned = plan_removal(house.catalog, [row.id], counts=lambda other: caller.may_curate(other.collection))
    return RemovalOut(
        documents=len(planned.documents),
        members=planned.members,
        bytes=planned.bytes,
        shared=planned.shared,
        followed=list(planned.followed),
    )


@router.delete("/{document_id}", operation_id="remove_document", status_code=HTTPStatus.NO_CONTENT)
def remove_document(request: Request, document_id: DocumentId, caller: Curator) -> Response:
    """Take it away for good, with all that lies in it."""
    house = house_of(request)
    row = changeable_document(house, caller, document_id)
    gone = house.rag.remove(house.rag.plan_removal(row.id))
    house.note(caller.person.id, "document.remove", row.id, collection=row.collection, documents=gone)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get("/{document_id}/redaction", operation_id="look_at_redaction")
def look_at_redaction(request: Request, document_id: DocumentId, caller: Curator) -> RedactionOut:
    """What redacting it would take away; nothing is done."""
    house = house_of(request)
    return _redaction(_planned(house, caller, changeable_document(house, caller, document_id)), caller)


@router.post("/{document_id}/redaction", operation_id="redact_document")
def redact_document(request: Request, document_id: DocumentId, caller: Curator, after: BackgroundTasks) -> RedactionOut:
    """Remove its old text everywhere: all versions before the newest, and what kept answers hold of them. The newest
    stays. The index's files are rewritten right after the reply; backups made before hold the old text still."""
    house = house_of(request)
    row = changeable_document(house, caller, document_id)
    planned = _planned(house, caller, row)
    house.rag.redact(planned)
    house.note(
        caller.person.id, "document.redact", row.id, collection=row.collection, revisions=planned.revisions,
        answers=planned.answers,
    )  # fmt: skip
    after.add_task(house.rag.index.clear_out)
    return _redaction(planned, caller)


def _planned(house: House, caller: Caller, row: DocumentRow) -> Redaction:
    # that somebody else's document has the same bytes is not theirs to know
    return plan_redaction(
        house.catalog, house.rag.files, [row.id], counts=lambda other: caller.may_curate(other.collection)
    )


def _redaction(planned: Redaction, caller: Caller) -> RedactionOut:
    return RedactionOut(
        documents=len(planned.documents),
        revisions=planned.revisions,
        bytes=planned.bytes,
        shared=planned.shared,
        answers=planned.answers if caller.is_admin else None,
    )


def _out(house: House, caller: Caller, row: DocumentRow) -> DocumentOut:
    may_change, stale = caller.may_curate(row.collection), house.rag.intake.is_stale(row)
    return document_out(row, may_change=may_change, stale=stale, admin=caller.is_admin)


def _begun(house: House, job_id: int) -> JobOut:
    house.work.add(job_id)
    job = house.catalog.jobs.job(job_id)
    assert job is not None
    return job_out(job)


def _named(files: list[UploadFile]) -> list[tuple[str, IO[bytes]]]:
    if not 0 < len(files) <= MOST_FILES:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"Send 1 to {MOST_FILES} files at once.")
    for file in files:
        if not file.filename:
            raise Unreadable("A file came without a name; name it and send it again.")
    return [(file.filename or "", file.file) for file in files]
