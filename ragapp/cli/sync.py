"""ragapp sync: folders and object stores that are followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragapp.cli.handover import handover, note_handover
from ragapp.cli.ingest import (
    as_json,
    exit_code,
    note_new_groups,
    print_report,
    said,
    watcher_for,
)
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
from ragapp.errors import RagappError

if TYPE_CHECKING:
    from ingest.jobs.intake import Preview
    from ragapp.catalog.rows import OriginRow

app = typer.Typer(
    help="Follow folders and object stores: what is new, changed, moved or gone there.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="The name that you gave the source.")]
_SHOWN = 50


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A name for the source: letters, digits, - and _.")],
    url: Annotated[str, typer.Argument(help="A folder, s3://bucket/prefix, or sftp://host/path.")],
    groups: Annotated[
        list[str] | None,
        typer.Option(
            "--groups",
            help="Groups that may see its documents (repeatable, or comma-separated); the collection's if none.",
        ),
    ] = None,
    everyone: Everyone = False,
    collection: Annotated[str, typer.Option(help="The collection they belong to.")] = "default",
    include: Annotated[
        list[str] | None, typer.Option("--include", help="Only paths like this, such as 'policies/**/*.pdf'.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="No paths like this, such as '**/drafts/**'.")
    ] = None,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Keep a source under a name. Nothing is taken in yet: `ragapp sync run NAME` does that.

    Credentials come from the environment or the store's own files (AWS_…, ~/.aws, ~/.ssh) and are kept nowhere.

    [dim]Example: ragapp sync add policies /srv/share/policies --groups staff --collection policies[/dim]
    """
    from ragapp.catalog.rows import OriginRow

    chosen = said(groups, everyone)
    with open_app(profile, data, quiet) as opened:
        rule = opened.catalog.collection_rules.get(collection)
        if chosen is None and not (rule and rule.groups):
            raise typer.BadParameter("Say who may see its documents: --groups a,b or --everyone.")
        note_new_groups(opened, chosen or frozenset(), quiet)
        row = OriginRow(
            name,
            url,
            collection,
            chosen or frozenset(),
            include=tuple(include or ()),
            exclude=tuple(exclude or ()),
        )
        kept = opened.intake.add(row)
    if json:
        out_json(_row_json(kept))
    else:
        out(f"{kept.name}: {kept.url}. Next: ragapp sync run {kept.name} --dry-run")


@app.command()
def run(
    name: Annotated[str | None, typer.Argument(help="The source; all of them if none is named.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    remove_gone: Annotated[
        bool, typer.Option("--remove-gone", help="Remove what is gone even where that is more than a fifth.")
    ] = False,
    json_progress: JsonProgress = False,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Bring what is in in line with a source: what is new, changed, moved, gone and unreadable there.

    Where more than a fifth of a source's documents (and more than ten) would go, or it lists nothing at all, nothing is
    removed, and one sentence says what to type to mean it.

    [dim]Example: ragapp sync run policies --dry-run[/dim]
    """
    with open_app(profile, data, quiet) as opened:
        wanted = [name] if name else [row.name for row in opened.catalog.origins.list()]
        if not wanted:
            note("No source is there to sync yet; next: ragapp sync add NAME URL --groups …")
            raise typer.Exit(2)
        worst = 0
        results: dict[str, Any] = {}
        for each in wanted:
            if dry_run:
                preview = opened.intake.preview(each)
                results[each] = _preview_json(preview)
                if not json:
                    _print_preview(each, preview)
                continue
            with watcher_for(quiet, json_progress) as watcher:
                if service := handover(opened.settings.data):
                    note_handover(service, quiet)
                    report = service.sync(each, watcher, remove_gone=remove_gone)
                else:
                    report = opened.intake.sync(each, watcher, remove_gone=remove_gone)
            results[each] = as_json(report)
            if not json:
                print_report(report, quiet, name=each)
            worst = max(worst, 1 if report.withheld else exit_code(report))
    if json:
        out_json(results)
    raise typer.Exit(worst)


@app.command()
def watch(
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]…", help="Sources; all if none is named.")
    ] = None,
    every: Annotated[int, typer.Option(help="Minutes between two looks at a source.", min=1)] = 60,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Sync sources again and again, until Ctrl-C: every so many minutes, and when a folder of this machine changes.

    A source that fails is tried again later and later, up to once an hour.

    [dim]Example: ragapp sync watch --every 15[/dim]
    """
    import threading

    from ingest.pipeline.report import IngestReport

    stop = threading.Event()

    def tell(name: str, went: IngestReport | RagappError) -> None:
        if isinstance(went, RagappError):
            note(f"{name}: {went}")
        elif json:
            out_json({"source": name, **as_json(went)}, indent=None)
        else:
            print_report(went, quiet, name=name)

    with open_app(profile, data, quiet) as opened:
        wanted = sources or [row.name for row in opened.catalog.origins.list()]
        if not wanted:
            note("No source is there to watch yet; next: ragapp sync add NAME URL --groups …")
            raise typer.Exit(2)
        try:
            opened.intake.watch(wanted, every * 60.0, stop, tell)
        except KeyboardInterrupt:
            note("stopping after the files that are being read")
        finally:
            stop.set()


@app.command("list")
def list_sources(profile: Profile = None, data: Data = None, json: Json = False, quiet: Quiet = False) -> None:
    """Show the sources, how many documents each has brought, and its last run.

    [dim]Example: ragapp sync list[/dim]
    """
    with open_app(profile, data, quiet) as opened:
        rows = [
            (row, opened.catalog.count(row.name), next(iter(opened.catalog.jobs.list(1, row)), None))
            for row in opened.catalog.origins.list()
        ]
    if json:
        out_json(
            [
                _row_json(row)
                | {
                    "documents": count,
                    "last_run": job and {"job": job.id, "started": job.started.isoformat(), "state": job.state},
                }
                for row, count, job in rows
            ]
        )
        return
    for row, count, job in rows:
        last = f"last run {job.started:%Y-%m-%d %H:%M} {job.state}" if job else "never run"
        out(f"{row.name}  {row.url}  {number_of(count, 'document')} for {', '.join(sorted(row.groups))}; {last}")
    if not rows:
        out("No source yet; next: ragapp sync add NAME URL --groups …")


@app.command()
def remove(name: Name, profile: Profile = None, data: Data = None, json: Json = False, quiet: Quiet = False) -> None:
    """Follow a source no longer. Its documents stay in; `ragapp remove --source NAME` before this takes them away.

    [dim]Example: ragapp sync remove policies[/dim]
    """
    with open_app(profile, data, quiet) as opened:
        kept = opened.intake.remove_source(name)
    if json:
        out_json({"removed": name, "documents_kept": kept})
    else:
        out(f"{name} is followed no longer; {number_of(kept, 'document')} of it stay in.")


def _row_json(row: OriginRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "url": row.url,
        "collection": row.collection,
        "groups": sorted(row.groups),
        "rules": [{"pattern": pattern, "groups": sorted(groups)} for pattern, groups in row.rules],
        "include": list(row.include),
        "exclude": list(row.exclude),
    }


def _preview_json(preview: Preview) -> dict[str, Any]:
    return {
        "counts": dict(preview.plan.counts),
        "withheld": preview.plan.withheld,
        "files": [
            {"source": file.source, "action": file.action, "reason": file.reason if file.action != "gone" else ""}
            for file in preview.files
        ],
    }


def _print_preview(name: str, preview: Preview) -> None:
    counts = preview.plan.counts
    for file in preview.files[:_SHOWN]:
        out(f"{file.action:<10}  {file.source}{f': {file.reason}' if file.action == 'unreadable' else ''}")
    if len(preview.files) > _SHOWN:
        out(f"… and {len(preview.files) - _SHOWN} more (--json lists them)")
    parts = [
        f"{counts.get(action, 0)} {action}" for action in ("new", "changed", "moved", "gone", "unchanged", "unreadable")
    ]
    out(f"{name}: {', '.join(parts)}. Nothing was done.")
    if preview.plan.withheld:
        note(preview.plan.withheld)
