"""ragapp ingest: take files in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragapp.answer.unseen import seen
from ragapp.cli.handover import handover, note_handover
from ragapp.cli.options import (
    Data,
    Everyone,
    Json,
    JsonProgress,
    Profile,
    Quiet,
    note,
    number_of,
    open_app,
    out,
    out_json,
)
from ragapp.types import EVERYONE

if TYPE_CHECKING:
    from ingest.pipeline.report import IngestReport
    from ragapp.app import RagApp


def ingest(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders, folders with all that is in them.")
    ] = None,
    collection: Annotated[str, typer.Option(help="The collection they belong to.")] = "default",
    groups: Annotated[
        list[str] | None,
        typer.Option(
            "--groups", help="Groups that may see them (repeatable, or comma-separated); the collection's if none."
        ),
    ] = None,
    everyone: Everyone = False,
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

    Without --groups and --everyone, what is new is seen by those whom the collection's rule names, and what is known
    stays as it is. Where the collection has no rule, new documents are everyone's on a machine of your own, and refused
    where other people have accounts. What was chosen by hand for a document (ragapp access set) is shown to no more.

    [dim]Example: ragapp ingest ~/Documents/policies --collection policies[/dim]
    """
    if bool(paths) == stale:
        raise typer.BadParameter("Give files and folders, or --stale.")
    chosen = said(groups, everyone)
    if stale and chosen:
        raise typer.BadParameter("--stale shows nothing to others; change that with: ragapp access set")
    with open_app(profile, data, quiet) as app, watcher_for(quiet, json_progress) as watcher:
        note_new_groups(app, chosen or frozenset(), quiet)
        if service := handover(app.settings.data):
            # what it has open nobody else can
            note_handover(service, quiet)
            report = service.renew_stale(watcher) if stale else service.ingest(paths or (), collection, chosen, watcher)
        elif stale:
            report = app.intake.renew_stale(watcher)
        else:
            report = app.ingest(*paths or (), collection=collection, groups=chosen, watcher=watcher)
    if json:
        out_json(as_json(report))
    elif stale and not report.job:
        out("No document is stale: all were read by this version of the parser.")
    else:
        print_report(report, quiet, name="renewed" if stale else "")
    raise typer.Exit(0 if stale and not report.failed else exit_code(report))


def names(given: list[str] | None) -> frozenset[str]:
    """Groups from repeated options, comma-separated ones too. Raises typer.BadParameter for one that would look like
    another."""
    found = frozenset(group.strip() for entry in given or [] for group in entry.split(",") if group.strip())
    for group in found:
        if seen(group) != group:
            raise typer.BadParameter(f"the name {seen(group)} holds characters that aren't seen; type it anew.")
    return found


def said(groups: list[str] | None, everyone: bool) -> frozenset[str] | None:
    """Who may see it, as the options say; None where they say nothing. Raises typer.BadParameter where they name
    nobody, or groups and everyone."""
    named = names(groups)
    if groups and not named:
        raise typer.BadParameter("--groups names no group; name one, or say --everyone.")
    if named and everyone:
        raise typer.BadParameter("Give --groups or --everyone, not both.")
    return frozenset({EVERYONE}) if everyone else named or None


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
        "kept": list(report.kept),
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
    for source in report.kept:
        note(f"kept     {_one_line(source)}: seen by those chosen for it by hand; change that with: ragapp access set")
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
