"""ragapp backup and ragapp restore: everything in one file, and back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ragapp.cli.handover import handover, note_handover
from ragapp.cli.options import Data, Json, Profile, Quiet, note, number_of, open_app, out, out_json, settings


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
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make the data folder what it was when a backup was made; models and logs stay as they are.

    Every part is unpacked and checked before anything is replaced.

    [dim]Example: ragapp restore /mnt/backup/ragapp.tar.gz --data ~/restored[/dim]
    """
    from ragapp.backup.restore import restore_backup

    chosen = settings(profile, data)
    head = restore_backup(file, chosen.data, (lambda _: None) if quiet else note, force=force)
    if head.index == "server" and not quiet:
        note(
            "The backup holds no index, since that was on a Qdrant server: restore the server's snapshot, or make the "
            "chunks anew from the originals: ragapp doctor --repair"
        )
    if json:
        out_json({"data": str(chosen.data)} | asdict(head))
    else:
        out(f"{number_of(head.documents, 'document')} of {head.made} are in {chosen.data}")
