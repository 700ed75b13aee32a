"""ragapp backup and ragapp restore: everything in one file, and back."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ragapp.cli.handover import handover, note_handover
from ragapp.cli.options import Data, Json, Profile, Quiet, note, number_of, open_app, out, out_json, settings

if TYPE_CHECKING:
    from ragapp.backup.newer import Rights
    from ragapp.backup.restore import Doubt


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write it, such as ragapp.tar.gz.")],
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write catalog, index, originals and extracted text into one file, while searches go on.

    Models and logs are not in it. An index on a Qdrant server is not in it either: take that server's own snapshot.
    The file holds every document's text and is readable by you alone.

    [dim]Example: ragapp backup /mnt/backup/ragapp.tar.gz[/dim]
    """
    with open_app(profile, data, quiet) as app:
        if service := handover(app.settings.data):
            note_handover(service, quiet)
            told = service.backup(file)
        else:
            told = app.backup(file).as_json()
    if told["missing"] and not quiet:
        note(f"{told['missing']} files were lost already and are not in it; see: ragapp doctor --verify")
    if told["index"] == "server" and not quiet:
        note("The index is on a Qdrant server and not in the backup; take a snapshot there, too.")
    if json:
        out_json(told)
    else:
        out(f"{told['file']}: {number_of(told['documents'], 'document')}, {told['size'] / 2**20:.1f} MiB")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `ragapp backup` wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Replace what the data folder holds now.")] = False,
    rights: Annotated[
        Literal["now", "backup"] | None,
        typer.Option("--rights", help="Rights taken away since: leave them so (now), or give them back (backup)."),
    ] = None,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make the data folder what it was when a backup was made; models and logs stay as they are.

    Every part is unpacked and checked before anything is replaced. Tokens that were revoked since, people who were
    locked or deleted, passwords and the audit stay as they are now; everybody signs in anew. What else was taken away
    since (groups, roles, who sees a document) is named, and --rights says whether it comes back.

    [dim]Example: ragapp restore /mnt/backup/ragapp.tar.gz --data ~/restored[/dim]
    """
    from ragapp.backup.restore import refuse_doubts, restore_backup

    chosen = settings(profile, data)
    say = (lambda _: None) if quiet else note
    asks = _ask if sys.stdin.isatty() and not json else refuse_doubts
    head = restore_backup(file, chosen.data, say, force=force, rights=rights, ask=asks)
    if head is None:
        note("Nothing was changed.")
        raise typer.Exit(1)
    if head.index == "server" and not quiet:
        note(
            "The backup holds no index, since that was on a Qdrant server: restore the server's snapshot, or make the "
            "chunks anew from the originals: ragapp doctor --repair"
        )
    if json:
        out_json({"data": str(chosen.data)} | asdict(head))
    else:
        out(f"{number_of(head.documents, 'document')} of {head.made} are in {chosen.data}")


def _ask(doubt: Doubt) -> Rights | None:
    note(f"{doubt.sentence}:")
    for line in doubt.lines:
        note(f"  {line}")
    choices: dict[str, Rights | None] = {"stop": None, "backup": "backup"} | ({"now": "now"} if doubt.known else {})
    leave = "now leaves it taken away, " if doubt.known else ""
    asked = f"{leave}backup has it as it was then, stop changes nothing ({', '.join(choices)})"
    while (said := typer.prompt(asked, default="stop", err=True).strip().lower()) not in choices:
        note(f"{said!r} is none of them.")
    return choices[said]
