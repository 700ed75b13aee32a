"""ragapp access: who may see what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragapp.cli.ingest import said
from ragapp.cli.options import Data, Everyone, Json, Profile, Quiet, note, number_of, open_app, out, out_json

if TYPE_CHECKING:
    from ingest.care.access import Shown

app = typer.Typer(
    help="Show and change who may see sources, the folders within them, and single documents.", no_args_is_help=True
)


@app.command()
def show(
    what: Annotated[
        str, typer.Argument(help="A synced source's name, a document's path or id, a folder; everything if none.")
    ] = "",
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show which groups see what: of a source its groups, its rules by path and its documents, or of one document.

    [dim]Example: ragapp access show policies[/dim]
    """
    with open_app(profile, data, quiet) as opened:
        shown = opened.access.show(what)
    if json:
        out_json([_as_json(part) for part in shown])
        return
    for part in shown:
        _print(part, each=bool(what) and not part.origin)
    if not any(part.origin or part.documents for part in shown):
        out("Nothing is in yet; next: ragapp ingest FOLDER")


@app.command("set")
def set_groups(
    what: Annotated[str, typer.Argument(help="A synced source's name, a document's path or id, or a folder.")],
    groups: Annotated[
        list[str] | None,
        typer.Option("--groups", help="The groups that may see it from now on (repeatable, or commas)."),
    ] = None,
    everyone: Everyone = False,
    path: Annotated[
        str, typer.Option("--path", help="Of a synced source only this: a folder ('hr/') or pattern ('hr/**/*.pdf').")
    ] = "",
    new_group: Annotated[
        bool, typer.Option("--new-group", help="The group is meant, although nothing has had it before.")
    ] = False,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Change who may see a source, a folder within it, or a document. Nothing is read or embedded again.

    It holds for every search from the moment the command has written it, also for an index that another process has
    open. Of a synced source's rules the last that means a path wins; a rule for a path stays when the source's own
    groups change. Files in a mail or an archive are seen by whoever may see the mail or the archive.

    [dim]Example: ragapp access set policies --path 'hr/' --groups hr,board[/dim]
    """
    chosen = said(groups, everyone)
    if chosen is None:
        raise typer.BadParameter("Say who may see it from now on: --groups a,b or --everyone.")
    with open_app(profile, data, quiet) as opened:
        change = opened.access.set(what, chosen, path=path, new_group=new_group)
    if json:
        out_json(
            {
                "groups": sorted(change.groups),
                "documents": change.documents,
                "sources": list(change.origins),
                "ruled": change.ruled,
                "behind": change.behind,
            }
        )
        return
    out(f"{number_of(change.documents, 'document')} changed; seen by {', '.join(sorted(change.groups))}")
    if change.ruled:
        note(f"{change.ruled} documents keep the groups that a rule by path gives them; see: ragapp access show {what}")
    if change.behind and not quiet:
        note(
            "The change holds; the index's own copy of the groups follows with the next command that opens it (now: "
            f"{change.behind})"
        )


def _print(part: Shown, each: bool) -> None:
    if part.origin:
        out(f"{part.origin.name}  {part.origin.url}: {_in_words(part.origin.groups)}")
        for pattern, groups in part.origin.rules:
            out(f"  {pattern}: {_in_words(groups)}")
    if each:
        for row in part.documents:
            out(f"{row.source}: {_in_words(row.groups)}")
        return
    for groups, count in sorted(part.by_groups.items(), key=lambda found: -found[1]):
        out(f"  {number_of(count, 'document')}{'' if part.origin else ' of no synced source'}: {_in_words(groups)}")


def _in_words(groups: frozenset[str]) -> str:
    return ", ".join(sorted(groups)) or "nobody"


def _as_json(part: Shown) -> dict[str, Any]:
    origin = part.origin
    return {
        "source": origin.name if origin else None,
        "groups": sorted(origin.groups) if origin else None,
        "rules": [{"pattern": pattern, "groups": sorted(groups)} for pattern, groups in origin.rules] if origin else [],
        "documents": [{"id": row.id, "source": row.source, "groups": sorted(row.groups)} for row in part.documents],
    }
