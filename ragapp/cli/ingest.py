"""ragapp ingest: take files in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragapp.cli.options import Data, Json, Profile, Quiet, note, open_app, out, out_json

if TYPE_CHECKING:
    from ingest.report import IngestReport


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders, folders with all that is in them.")],
    collection: Annotated[str, typer.Option(help="The collection they belong to.")] = "default",
    groups: Annotated[
        list[str] | None,
        typer.Option("--groups", help="Groups that may see them (repeatable, or comma-separated); everyone if none."),
    ] = None,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Take in documents: txt, md, rst, html, xml, docx, pptx, xlsx, csv, tsv, eml, msg, json, epub, odt, rtf, pdf.

    Unchanged files cost nothing; a changed one is replaced at once when its new text stands. A file that can't be read
    is one line with the reason, and the run goes on.

    [dim]Example: ragapp ingest ~/Documents/policies --collection policies[/dim]
    """
    named = frozenset(group.strip() for entry in groups or [] for group in entry.split(",") if group.strip())
    with open_app(profile, data, quiet) as app:
        watcher = _watcher(quiet)
        with watcher:
            report = app.ingest(*paths, collection=collection, groups=named or None, watcher=watcher)
    if json:
        out_json(as_json(report))
    else:
        _print(report, quiet)
    raise typer.Exit(exit_code(report))


def exit_code(report: IngestReport) -> int:
    """0 when all is in, 1 when some files failed, 2 when nothing is in."""
    if report.ingested == 0:
        return 2
    return 1 if report.failed else 0


def as_json(report: IngestReport) -> dict[str, Any]:
    """The report for programs."""
    return {
        "added": report.added,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "failed": [{"source": f.source, "reason": f.reason} for f in report.failed],
        "skipped": len(report.skipped),
        "skipped_files": [{"source": f.source, "reason": f.reason} for f in report.skipped],
        "chunks": report.chunks,
        "embedded": report.embedded,
        "seconds": report.seconds,
    }


def _print(report: IngestReport, quiet: bool) -> None:
    if not quiet:
        for skipped in report.skipped:
            note(f"skipped  {_one_line(skipped.source)}: {skipped.reason}")
    for failure in report.failed:
        note(f"failed   {_one_line(failure.source)}: {failure.reason}")
    if not report.ingested and not report.failed:
        note("There is nothing to ingest in there; give a folder with documents (see: ragapp ingest --help).")
    out(
        f"{report.added} added, {report.changed} changed, {report.unchanged} unchanged, {len(report.failed)} failed; "
        f"{report.chunks} chunks in {report.seconds:.1f} s"
    )


def _one_line(source: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in source)


def _watcher(quiet: bool) -> Any:
    from ragapp.cli.progress import BarWatcher, LineWatcher, SilentWatcher

    if quiet:
        return SilentWatcher()
    return BarWatcher() if sys.stderr.isatty() else LineWatcher()
