"""Sources: folders and object stores that are followed."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from ingest.origins.pathrules import PathRules
from ragapp.catalog.rows import OriginRow
from ragapp.errors import CatalogError
from ragapp.serve.callers import Admin, Caller, Curator
from ragapp.serve.document_shapes import JobOut, PreviewOut, RuleOut, SourceOut, job_files_out, job_out
from ragapp.serve.house import House, house_of
from ragapp.serve.naming import group_names, refuse_reserved
from ragapp.serve.problems import not_found
from ragapp.serve.routes.collections import groups_of_new
from ragapp.serve.shapes import Name, Wire
from ragapp.serve.wording import told_text

router = APIRouter(prefix="/v1/sources", tags=["sources"])
SourceName = Annotated[Name, Path(description="The source's name.")]
_SHOWN = 1000
Pattern = Annotated[str, Field(min_length=1, max_length=1000)]


class RuleIn(Wire):
    pattern: Pattern = Field(examples=["board/**"])
    groups: list[Name] = Field(min_length=1, max_length=500)


class SourceIn(Wire):
    """A source to follow. Credentials come from the service's environment and are kept nowhere."""

    name: Name = Field(examples=["policies"])
    url: Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f\x7f]+$")] = Field(
        examples=["/srv/share/policies", "s3://bucket/prefix", "sftp://host/path"]
    )
    collection: Name = "default"
    groups: list[Name] | None = Field(
        None,
        min_length=1,
        max_length=500,
        description="Who may see its documents; the collection's groups when left out.",
    )
    rules: list[RuleIn] = Field([], max_length=1000, description="Groups by path; the last that matches counts.")
    include: list[Pattern] = Field([], max_length=1000)
    exclude: list[Pattern] = Field([], max_length=1000)


class RunIn(Wire):
    remove_gone: bool = Field(False, description="Remove what is gone even where it is suspiciously much.")


@router.get("", operation_id="list_sources")
def list_sources(request: Request, caller: Curator) -> list[SourceOut]:
    """Sources of the collections that one looks after."""
    house = house_of(request)
    return [_out(house, caller, row) for row in house.catalog.origins.list() if caller.may_curate(row.collection)]


@router.post("", operation_id="add_source", status_code=HTTPStatus.CREATED)
def add_source(request: Request, given: SourceIn, caller: Admin) -> SourceOut:
    """Keep a source. It is looked at, so that a wrong address is said at once; nothing is taken in yet."""
    house = house_of(request)
    refuse_reserved(given.collection, "collection")
    groups = groups_of_new(house, given.collection) if given.groups is None else group_names(given.groups)
    rules = tuple((rule.pattern, group_names(rule.groups)) for rule in given.rules)
    PathRules(rules)
    row = OriginRow(given.name, given.url, given.collection, groups, rules, tuple(given.include), tuple(given.exclude))
    kept = house.rag.intake.add(row)
    house.note(caller.person.id, "source.add", kept.name, collection=kept.collection, groups=sorted(groups))
    return _out(house, caller, kept)


@router.delete("/{name}", operation_id="remove_source", status_code=HTTPStatus.NO_CONTENT)
def remove_source(request: Request, name: SourceName, caller: Admin) -> Response:
    """Follow it no longer; its documents stay until they are removed."""
    house = house_of(request)
    _source(house, caller, name)
    kept = house.rag.intake.remove_source(name)
    house.note(caller.person.id, "source.remove", name, documents=kept)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.post("/{name}/preview", operation_id="preview_source")
def preview_source(request: Request, name: SourceName, caller: Curator) -> PreviewOut:
    """What a run would do; nothing is done."""
    house = house_of(request)
    _source(house, caller, name)
    preview = house.rag.intake.preview(name)
    house.note(caller.person.id, "source.preview", name)
    return PreviewOut(
        counts=dict(preview.plan.counts),
        files=job_files_out(preview.files[:_SHOWN], admin=caller.is_admin),
        withheld=told_text(preview.plan.withheld, admin=caller.is_admin),
    )


@router.post("/{name}/run", operation_id="run_source", status_code=HTTPStatus.ACCEPTED)
def run_source(request: Request, name: SourceName, given: RunIn, caller: Curator) -> JobOut:
    """Bring what is in in line with the source."""
    house = house_of(request)
    row = _source(house, caller, name)
    job_id = house.rag.intake.note_sync(name, remove_gone=given.remove_gone)
    house.note(caller.person.id, "source.run", name, job=job_id, remove_gone=given.remove_gone)
    house.work.add(job_id)
    job = house.catalog.jobs.job(job_id)
    assert job is not None
    return job_out(job, origin_collection=row.collection, admin=caller.is_admin)


def _source(house: House, caller: Caller, name: str) -> OriginRow:
    try:
        row = house.catalog.origins.get(name)
    except CatalogError:
        raise not_found("source") from None
    if not caller.may_curate(row.collection):
        raise not_found("source")
    return row


def _out(house: House, caller: Caller, row: OriginRow) -> SourceOut:
    jobs = house.catalog.jobs.list(1, origin=row)
    last = jobs[0] if jobs else None
    return SourceOut(
        name=row.name, url=row.url, collection=row.collection, groups=sorted(row.groups),
        rules=[RuleOut(pattern=pattern, groups=sorted(groups)) for pattern, groups in row.rules],
        include=list(row.include), exclude=list(row.exclude), created=row.created,
        running_job=last.id if last and last.state in ("waiting", "running") else None,
        last_job=job_out(
            last, house.work.progress(last.id), origin_collection=row.collection, admin=caller.is_admin
        ) if last else None,
    )  # fmt: skip
