"""ragapp redact: take the old text of documents away everywhere; their newest version stays."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragapp.cli.handover import handover, note_handover
from ragapp.cli.options import Data, Json, Profile, Quiet, note, number_of, open_app, out, out_json

if TYPE_CHECKING:
    from ingest.care.redaction import Redaction


def redact(
    documents: Annotated[
        list[str], typer.Argument(help="Documents by path or id, and folders with all that came from them.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be taken away.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Remove the old text of documents everywhere: all versions before the newest, which stays and goes on answering.

    Their originals, extracted text and chunks go, and what kept answers quote of them or rest on. What lies in a mail
    or an archive is redacted with it, and with what it lies in. Backups that were made before hold it still.

    [dim]Example: ragapp redact ~/Documents/policies/salaries.md --dry-run[/dim]
    """
    cleared = None
    with open_app(profile, data, quiet) as app:
        redaction = app.plan_redaction(*documents)
        if not json and not quiet:
            _say(redaction)
        if not dry_run:
            if not yes and not json and sys.stdin.isatty() and not typer.confirm("Remove the old text?", err=True):
                note("Nothing was removed.")
                raise typer.Exit(1)
            if service := handover(app.settings.data):
                note_handover(service, quiet)
                service.redact(redaction)
            else:
                app.redact(redaction)
                cleared = app.index.clear_out()
        copies = _copies(app.settings.data)
    if json:
        out_json(
            {
                "documents": len(redaction.documents),
                "revisions": redaction.revisions,
                "bytes": redaction.bytes,
                "shared": redaction.shared,
                "answers": redaction.answers,
                "copies": copies,
                "redacted": not dry_run,
            }
        )
        return
    what = f"{number_of(redaction.revisions, 'earlier version')}, {redaction.bytes} bytes of originals, text in "
    what += number_of(redaction.answers, "answer")
    out(f"{what} would be removed; nothing was done" if dry_run else f"{what} removed")
    if quiet or dry_run:
        return
    if cleared is False:
        note("The index clears deleted chunks out of its files by itself, when it sees fit.")
    note("Backups that were made before hold the old text still; make a new one, and delete them.")
    if copies:
        note(f"So do these copies in the data folder, which can be deleted: {', '.join(copies)}.")


def _copies(data: Path) -> list[str]:
    """What an update of ragapp, or a restore that broke off, put aside in the data folder."""
    return sorted(path.name for pattern in ("catalog.db.*.bak", ".replaced-*") for path in data.glob(pattern))


def _say(redaction: Redaction) -> None:
    stays = f"; {redaction.shared} originals stay, since documents have the same bytes now" if redaction.shared else ""
    note(
        f"{number_of(len(redaction.documents), 'document')} with {number_of(redaction.revisions, 'earlier version')} "
        f"and {redaction.bytes} bytes of their originals; {number_of(redaction.answers, 'kept answer')} quote them or "
        f"rest on them{stays}"
    )
