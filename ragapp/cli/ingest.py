"""ragapp ingest: take files in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragapp.cli.handover import handover, note_handover
from ragapp.cli.options import Data, Json, JsonProgress, Profile, Quiet, note, number_of, open_app, out, out_json

if TYPE_CHECKING:
    from ingest.report import IngestReport
    from ragapp.app import RagApp


def ingest(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders, folders with all that is in them.")
    ] = None,
    collection: Annotated[str, typer.Option(help="The collection they belong to.")] = "default",
    groups: Annotated[
        list[str] | None,
        typer.Option("--groups", help="Groups that may see them (repeatable, or comma-separated); everyone if none."),
    ] = None,
    stale: Annotated[
        bool, typer.Option("--stale", help="Instead of paths: renew what an older version of ragapp's parser read.")
    ] = False,
    json_progress: JsonProgress = False,
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
    if bool(paths) == stale:
        raise typer.BadParameter("Give files and folders, or --stale.")
    with open_app(profile, data, quiet) as app, watcher_for(quiet, json_progress) as watcher:
        note_new_groups(app, names(groups), quiet)
        if service := handover(app.settings.data):
            # what it has open nobody else can
            note_handover(service, quiet)
            chosen = names(groups) or None
            report = service.renew_stale(watcher) if stale else service.ingest(paths or (), collection, chosen, watcher)
        elif stale:
            report = app.intake.renew_stale(watcher)
        else:
            report = app.ingest(*paths or (), collection=collection, groups=names(groups) or None, watcher=watcher)
    if json:
        out_json(as_json(report))
    elif stale and not report.job:
        out("No document is stale: all were read by this version of the parser.")
    else:
        print_report(report, quiet, name="renewed" if stale else "")
    raise typer.Exit(0 if stale and not report.failed else exit_code(report))


def names(given: list[str] | None) -> frozenset[str]:
    """Groups from repeated options, comma-separated ones too."""
    return frozenset(group.strip() for entry in given or [] for group in entry.split(",") if group.strip())


def note_new_groups(app: RagApp, groups: frozenset[str], quiet: bool) -> None:
    """Say which groups nothing had before: a slip of the pen shows documents to nobody."""
    from ragapp.catalog.groups import unknown_groups, unknown_in_words

    if not quiet and (unknown := unknown_groups(groups, app.catalog.access.known())):
        note(f"{unknown_in_words(unknown)}; it is new.")


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
        "pages": report.pages,
        "embedded": report.embedded,
        "stale": report.stale,
        "withheld": report.withheld,
        "job": report.job,
        "seconds": report.seconds,
    }


def print_report(report: IngestReport, quiet: bool, name: str = "") -> None:
    """The report for a person; notes to stderr."""
    if not quiet:
        for skipped in report.skipped:
            note(f"skipped  {_one_line(skipped.source)}: {skipped.reason}")
    for failure in report.failed:
        note(f"failed   {_one_line(failure.source)}: {failure.reason}")
    if not report.ingested and not report.failed and not report.removed and not name:
        note("There is nothing to ingest in there; give a folder with documents (see: ragapp ingest --help).")
    if report.withheld:
        note(report.withheld)
    if report.stale and not quiet:
        note(f"{report.stale} documents were read by an older version of the parser; renew them: ragapp ingest --stale")
    whose = f"{name}: " if name else ""
    out(
        f"{whose}{report.added} added, {report.changed} changed, {report.unchanged} unchanged, "
        f"{report.removed} removed, {len(report.failed)} failed; "
        f"{number_of(report.chunks, 'chunk')} in {report.seconds:.1f} s"
    )


def _one_line(source: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in source)


def watcher_for(quiet: bool, as_lines: bool = False) -> Any:
    """Who shows a run's progress: JSON lines where asked for, a live view on a terminal, lines elsewhere, or nobody."""
    from ragapp.cli.progress import BarWatcher, JsonWatcher, LineWatcher, SilentWatcher

    if as_lines:
        return JsonWatcher()
    if quiet:
        return SilentWatcher()
    return BarWatcher() if sys.stderr.isatty() else LineWatcher()
