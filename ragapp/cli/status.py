"""ragapp status: what is in."""

from __future__ import annotations

from ragapp.cli.options import Data, Json, Profile, Quiet, number_of, open_app, out, out_json


def status(profile: Profile = None, data: Data = None, json: Json = False, quiet: Quiet = False) -> None:
    """Show documents, chunks, size, models, profile and the last runs. Opens no model.

    [dim]Example: ragapp status[/dim]
    """
    with open_app(profile, data, quiet) as app:
        now = app.status()
        jobs = app.catalog.jobs.list(5)
    if json:
        out_json(
            {
                "documents": now.documents,
                "chunks": now.chunks,
                "failed": now.failed,
                "bytes": now.bytes,
                "models": {"chat": now.chat_model, "embedder": now.embedder},
                "profile": now.profile,
                "data": str(now.data),
                "jobs": [
                    {
                        "command": job.command,
                        "started": job.started.isoformat(),
                        "state": job.state,
                        "added": job.added,
                        "changed": job.changed,
                        "unchanged": job.unchanged,
                        "failed": job.failed,
                        "chunks": job.chunks,
                        "seconds": job.seconds,
                    }
                    for job in jobs
                ],
            }
        )
        return
    holds = f"{number_of(now.documents, 'document')}, {number_of(now.chunks, 'chunk')}"
    out(f"{holds}, {_size(now.bytes)} of originals, {now.failed} failed")
    out(f"answers by {now.chat_model}, found with {now.embedder}; profile {now.profile}, data in {now.data}")
    for job in jobs:
        out(
            f"  {job.started:%Y-%m-%d %H:%M}  {job.state:<11}  {job.added} added, {job.changed} changed, "
            f"{job.unchanged} unchanged, {job.failed} failed, {job.seconds:.0f} s  {job.command}"
        )
    if not now.documents:
        out("Nothing is in yet; next: ragapp ingest FOLDER")


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
