"""ragapp remove: take documents away for good."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ragapp.cli.handover import handover, note_handover
from ragapp.cli.options import Data, Json, Profile, Quiet, note, number_of, open_app, out, out_json

if TYPE_CHECKING:
    from ingest.care.removal import Removal

_SHOWN = 20


def remove(
    documents: Annotated[
        list[str] | None, typer.Argument(help="Documents by path or id, and folders with all that came from them.")
    ] = None,
    source: Annotated[str, typer.Option("--source", help="All documents of this synced source.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be taken away.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Take documents away: chunks, originals, extracted text, and what the catalog knows of them.

    The files they were read from are not touched. Bytes that another document needs stay. What lies in a mail or an
    archive goes with it. From the moment the catalog has committed it, no search finds them; a crash after that leaves
    the rest of the work to the next command that opens the index.

    [dim]Example: ragapp remove ~/Documents/policies/old.pdf --dry-run[/dim]
    """
    if not documents and not source:
        raise typer.BadParameter("Name documents or folders, or a synced source with --source.")
    with open_app(profile, data, quiet) as app:
        removal = app.plan_removal(*documents or (), source=source)
        if not json and not quiet:
            _say(removal)
        if not dry_run:
            if not yes and not json and sys.stdin.isatty() and not typer.confirm("Take them away?", err=True):
                note("Nothing was removed.")
                raise typer.Exit(1)
            if service := handover(app.settings.data):
                note_handover(service, quiet)
                service.remove(removal)
            else:
                app.remove(removal)
    if json:
        out_json(
            {
                "documents": len(removal.documents),
                "members": removal.members,
                "chunks": removal.chunks,
                "bytes": removal.bytes,
                "shared": removal.shared,
                "sources": [row.source for row in removal.documents],
                "removed": not dry_run,
            }
        )
        return
    what = (
        f"{number_of(len(removal.documents), 'document')}, {number_of(removal.chunks, 'chunk')}, {removal.bytes} bytes"
    )
    out(f"{what} would be removed; nothing was done" if dry_run else f"{what} removed")
    if removal.followed and not source and not quiet:
        note(
            f"The next sync of {', '.join(removal.followed)} brings its files in again; leave them out with --exclude, "
            "or take them away there."
        )


def _say(removal: Removal) -> None:
    for row in removal.documents[:_SHOWN]:
        note(f"  {row.source}")
    if len(removal.documents) > _SHOWN:
        note(f"  … and {len(removal.documents) - _SHOWN} more (--json lists them)")
    note(
        f"{number_of(len(removal.documents), 'document')} ({removal.members} of them in mails and archives) with "
        f"{number_of(removal.chunks, 'chunk')} and {removal.bytes} bytes of originals"
        + (f"; {removal.shared} originals stay, since other documents have the same bytes" if removal.shared else "")
    )
