"""All commands under one name."""

from __future__ import annotations

import typer

from ragapp.cli import (
    access,
    ask,
    backup,
    evaluate,
    ingest,
    jobs,
    mcp,
    models,
    people,
    redact,
    remove,
    search,
    serve,
    status,
    sync,
    up,
)
from ragapp.cli import doctor as doctor_command

app = typer.Typer(
    name="ragapp",
    help="Cited answers from your own documents, on your own hardware.",
    epilog="Start with: ragapp ingest FOLDER, then: ragapp ask 'your question'",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("ingest")(ingest.ingest)
app.add_typer(sync.app, name="sync")
app.add_typer(jobs.app, name="jobs")
app.add_typer(access.app, name="access")
app.add_typer(people.app, name="people")
app.command("remove")(remove.remove)
app.command("redact")(redact.redact)
app.command("ask")(ask.ask)
app.command("search")(search.search)
app.command("serve")(serve.serve)
app.command("up")(up.up)
app.command("ui")(up.ui)
app.command("mcp")(mcp.mcp)
app.add_typer(evaluate.app, name="eval")
app.command("status")(status.status)
app.command("doctor")(doctor_command.doctor)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("models")(models.models)
