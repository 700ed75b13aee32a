"""ragapp status: what is in."""

from __future__ import annotations

from ragapp.cli.options import Data, Json, Profile, Quiet, open_app, out, out_json


def status(profile: Profile = None, data: Data = None, json: Json = False, quiet: Quiet = False) -> None:
    """Show documents, chunks, size, models, profile and the last runs. Opens no model.

    [dim]Example: ragapp status[/dim]
    """
    with open_app(profile, data, quiet) as app:
        now = app.status()
        runs = app.catalog.runs(5)
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
                "runs": [
                    {
                        "command": run.command,
                        "started": run.started.isoformat(),
                        "state": run.state,
                        "added": run.added,
                        "changed": run.changed,
                        "unchanged": run.unchanged,
                        "failed": run.failed,
                        "chunks": run.chunks,
                        "seconds": run.seconds,
                    }
                    for run in runs
                ],
            }
        )
        return
    out(f"{now.documents} documents, {now.chunks} chunks, {_size(now.bytes)} of originals, {now.failed} failed")
    out(f"answers by {now.chat_model}, found with {now.embedder}; profile {now.profile}, data in {now.data}")
    for run in runs:
        out(
            f"  {run.started:%Y-%m-%d %H:%M}  {run.state:<11}  {run.added} added, {run.changed} changed, "
            f"{run.unchanged} unchanged, {run.failed} failed, {run.seconds:.0f} s  {run.command}"
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
