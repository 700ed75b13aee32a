"""ragapp jobs: what ran, what became of each file, and taking it up again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragapp.cli.handover import Handover, handover, note_handover
from ragapp.cli.ingest import as_json, exit_code, print_report, watcher_for
from ragapp.cli.options import Data, Json, JsonProgress, Profile, Quiet, number_of, open_app, out, out_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.pipeline.report import IngestReport, Watcher
    from ragapp.app import RagApp
    from ragapp.catalog.rows import JobFile, JobRow
    from ragapp.cli.progress import SilentWatcher

app = typer.Typer(help="Runs of ingest and sync: list, look into, resume, cancel, try again.", no_args_is_help=True)

Id = Annotated[int, typer.Argument(help="The job's number, as `ragapp jobs list` shows it.")]


@app.command("list")
def list_jobs(
    limit: Annotated[int, typer.Option(help="How many, newest first.")] = 20,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show the last jobs.

    [dim]Example: ragapp jobs list[/dim]
    """
    with open_app(profile, data, quiet) as opened:
        jobs = opened.catalog.jobs.list(limit)
    if json:
        out_json([_job_json(job) for job in jobs])
        return
    for job in jobs:
        out(
            f"{job.id:>4}  {job.started:%Y-%m-%d %H:%M}  {job.state:<11}  {job.added} added, {job.changed} changed, "
            f"{job.unchanged} unchanged, {job.removed} removed, {job.failed} failed  {job.command}"
        )
    if not jobs:
        out("No job has run yet; next: ragapp ingest FOLDER")


@app.command()
def show(
    job_id: Id,
    all_files: Annotated[bool, typer.Option("--all", help="Every file, not only those that failed or wait.")] = False,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show one job with the state, the reason and the number of tries of its files.

    [dim]Example: ragapp jobs show 12[/dim]
    """
    from ragapp.errors import CatalogError

    with open_app(profile, data, quiet) as opened:
        job = opened.catalog.jobs.job(job_id)
        if job is None:
            raise CatalogError(f"There is no job {job_id}; `ragapp jobs list` shows the jobs there are.")
        files = list(opened.catalog.jobs.files(job_id, states=() if all_files else ("failed", "planned")))
    if json:
        out_json(_job_json(job) | {"files": [_file_json(file) for file in files]})
        return
    out(f"job {job.id}: {job.command}, {job.state}, started {job.started:%Y-%m-%d %H:%M}, {job.seconds:.0f} s")
    out(
        f"  {job.added} added, {job.changed} changed, {job.unchanged} unchanged, {job.removed} removed, "
        f"{job.failed} failed; {number_of(job.chunks, 'chunk')}"
    )
    for file in files:
        tries = f" (tried {file.attempts} times)" if file.attempts > 1 else ""
        passes = "; may pass, see: ragapp jobs retry" if file.passing and file.state == "failed" else ""
        said = f": {file.reason}" if file.reason and file.action != "gone" else ""
        shown = f"{said}{tries}{passes}" if file.state == "failed" else said
        out(f"  {file.outcome or file.state:<9}  {file.action:<10}  {file.source}{shown}")
    if job.state in ("interrupted", "cancelled", "failed"):
        out(f"Next: ragapp jobs resume {job.id}")


@app.command()
def resume(
    job_id: Id,
    json_progress: JsonProgress = False,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a job that was interrupted, cancelled, or failed as a whole.

    [dim]Example: ragapp jobs resume 12[/dim]
    """
    _again(
        profile,
        data,
        json,
        quiet,
        json_progress,
        lambda opened, watcher: opened.intake.resume(job_id, watcher),
        lambda service, watcher: service.resume(job_id, watcher),
    )


@app.command()
def cancel(job_id: Id, profile: Profile = None, data: Data = None, json: Json = False, quiet: Quiet = False) -> None:
    """Stop a running job after the files it is at; what is done stays done.

    [dim]Example: ragapp jobs cancel 12[/dim]
    """
    with open_app(profile, data, quiet) as opened:
        before = opened.catalog.jobs.cancel(job_id)
    stopped = before in ("waiting", "running", "interrupted")
    if json:
        out_json({"job": job_id, "cancelled": stopped, "was": before})
    else:
        out(f"Job {job_id} {'is told to stop' if stopped else f'had ended already ({before})'}.")


@app.command()
def retry(
    job_id: Id,
    failed: Annotated[
        bool, typer.Option("--failed", help="Also what failed for a reason that does not pass by itself.")
    ] = False,
    json_progress: JsonProgress = False,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Try again what failed in a job for a reason that may pass (network, lock, memory, time).

    [dim]Example: ragapp jobs retry 12 --failed[/dim]
    """
    _again(
        profile,
        data,
        json,
        quiet,
        json_progress,
        lambda opened, watcher: opened.intake.retry(job_id, watcher, failed=failed),
        lambda service, watcher: service.retry(job_id, watcher, failed=failed),
    )


def _again(
    profile: Profile,
    data: Data,
    json: bool,
    quiet: bool,
    json_progress: bool,
    here: Callable[[RagApp, Watcher], IngestReport],
    there: Callable[[Handover, SilentWatcher], IngestReport],
) -> None:
    with open_app(profile, data, quiet) as opened, watcher_for(quiet, json_progress) as watcher:
        if service := handover(opened.settings.data):
            note_handover(service, quiet)
            report = there(service, watcher)
        else:
            report = here(opened, watcher)
    if json:
        out_json(as_json(report))
    else:
        print_report(report, quiet, name=f"job {report.job}" if report.job else "")
    # a job of which nothing is left to do is no failure
    raise typer.Exit(exit_code(report) if report.failed else 0)


def _job_json(job: JobRow) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "command": job.command,
        "source": job.origin,
        "state": job.state,
        "started": job.started.isoformat(),
        "ended": job.ended and job.ended.isoformat(),
        "added": job.added,
        "changed": job.changed,
        "unchanged": job.unchanged,
        "removed": job.removed,
        "failed": job.failed,
        "chunks": job.chunks,
        "seconds": job.seconds,
        "kept": job.kept,
    }


def _file_json(file: JobFile) -> dict[str, Any]:
    return {
        "source": file.source,
        "action": file.action,
        "state": file.state,
        "outcome": file.outcome,
        "reason": file.reason if file.action != "gone" else "",
        "may_pass": file.passing,
        "attempts": file.attempts,
    }
