"""ragapp people: who may sign in to the service, and what is known of them."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ragapp.answer.unseen import seen
from ragapp.cli.ingest import names
from ragapp.cli.options import Data, Json, Profile, Quiet, note, open_app, out, out_json
from ragapp.errors import CatalogError

if TYPE_CHECKING:
    from ragapp.app import RagApp
    from ragapp.catalog.service_rows import PersonRow

app = typer.Typer(
    help="Show and change who may sign in to the service, and what they may; it holds for their next request.",
    no_args_is_help=True,
)
_LINK_LASTS = timedelta(days=7)
Name = Annotated[str, typer.Argument(help="The name that the person signs in with.")]
Groups = Annotated[list[str] | None, typer.Option("--groups", help="Groups to be in (repeatable, or commas).")]
EndSessions = Annotated[bool, typer.Option("--end-sessions", help="Sign the person out everywhere at once.")]
EndTokens = Annotated[bool, typer.Option("--end-tokens", help="Revoke every API token of the person at once.")]
RoleOption = Annotated[Literal["reader", "admin"], typer.Option("--role", help="reader or admin.")]


@app.command("list")
def list_people(profile: Profile = None, data: Data = None, json: Json = False, quiet: Quiet = False) -> None:
    """Show everybody who has an account.

    [dim]Example: ragapp people list[/dim]
    """
    with open_app(profile, data, quiet) as opened:
        people = opened.catalog.people.list()
    if json:
        out_json([_as_json(person) for person in people])
        return
    for person in people:
        out(_in_words(person))
    if not people and not quiet:
        note(
            "Nobody has an account yet; next: ragapp serve (it prints a link for the first), or ragapp people add NAME"
        )


@app.command()
def add(
    name: Name,
    display: Annotated[str, typer.Option("--display", help="The name that is shown, if another.")] = "",
    role: RoleOption = "reader",
    groups: Groups = None,
    curates: Annotated[
        list[str] | None, typer.Option("--curates", help="Collections to look after (repeatable, or commas).")
    ] = None,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make an account, and print a link by which its person sets the password. The link works once, for seven days.

    [dim]Example: ragapp people add ada --groups board,sales[/dim]
    """
    from ragapp.names import refuse_internal

    with open_app(profile, data, quiet) as opened:
        looked_after = names(curates)
        # before the account is made, so that nothing is done by half
        refuse_internal(looked_after, "collection")
        person = _added(opened, name, display, role, names(groups))
        opened.catalog.people.curate(person.id, looked_after)
        _note_new_groups(opened, person.groups, quiet)
        _audit(opened, "person.add", person.id, role=role, groups=sorted(person.groups))
        _print_link(opened, opened.catalog.people.get(person.id), json)


@app.command()
def invite(
    name: Name,
    end_sessions: EndSessions = False,
    end_tokens: EndTokens = False,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Print a new link by which a person sets a new password; an earlier link is void, the old password still good.

    [dim]Example: ragapp people invite ada --end-tokens[/dim]
    """
    with open_app(profile, data, quiet) as opened:
        person = _person(opened, name)
        if end_sessions:
            opened.catalog.credentials.close_sessions(person.id)
        if end_tokens:
            opened.catalog.credentials.revoke_tokens(person.id)
        _audit(opened, "person.link", person.id, end_sessions=end_sessions, end_tokens=end_tokens)
        _print_link(opened, person, json)


@app.command()
def password(
    name: Name,
    end_tokens: EndTokens = False,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Set a person's password, typed twice or read as one line from stdin; every browser of theirs is signed out.

    [dim]Example: ragapp people password ada --end-tokens[/dim]
    """
    from ragapp.serve.passwords import words_of_service
    from ragapp.serve.signin import hashed

    with open_app(profile, data, quiet) as opened:
        person = _person(opened, name)
        if person.subject is not None:
            raise CatalogError(f"{person.name} signs in through the company's provider and has no password here.")
        words = (person.name, person.display, *words_of_service(opened.settings))
        opened.catalog.people.set_password(person.id, hashed(_typed_password(), words), end_tokens=end_tokens)
        _audit(opened, "person.set_password", person.id, end_tokens=end_tokens)
        _print(opened.catalog.people.get(person.id), json)


@app.command("groups")
def set_groups(
    name: Name,
    groups: Groups = None,
    none: Annotated[bool, typer.Option("--none", help="In no group: only what everyone sees.")] = False,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show a person's groups, or put them into these and no others. What the company's provider gave stays.

    [dim]Example: ragapp people groups ada --groups board[/dim]
    """
    if groups and none:
        raise typer.BadParameter("Give --groups or --none, not both.")
    with open_app(profile, data, quiet) as opened:
        person = _person(opened, name)
        if groups or none:
            chosen = _good_groups(names(groups))
            opened.catalog.people.set_groups(person.id, chosen)
            _note_new_groups(opened, chosen, quiet)
            person = opened.catalog.people.get(person.id)
            _audit(opened, "person.change", person.id, groups=sorted(person.groups))
    _print(person, json)


@app.command()
def role(
    name: Name,
    role: Annotated[Literal["reader", "admin"], typer.Argument(help="reader or admin.")],
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make somebody an admin, or a reader again. The last admin stays one.

    [dim]Example: ragapp people role ada admin[/dim]
    """
    with open_app(profile, data, quiet) as opened:
        person = _person(opened, name)
        opened.catalog.people.set_role(person.id, role)
        _audit(opened, "person.change", person.id, role=role)
        _print(opened.catalog.people.get(person.id), json)


@app.command()
def lock(
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Let them in again.")] = False,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Lock somebody out at once: password, open browsers, API tokens. Nothing of theirs is deleted.

    [dim]Example: ragapp people lock ada[/dim]
    """
    with open_app(profile, data, quiet) as opened:
        person = _person(opened, name)
        opened.catalog.people.set_active(person.id, undo)
        if not undo:
            opened.catalog.credentials.close_sessions(person.id)
        _audit(opened, "person.change", person.id, active=undo)
        _print(opened.catalog.people.get(person.id), json)


@app.command()
def export(name: Name, profile: Profile = None, data: Data = None, quiet: Quiet = False) -> None:
    """Print all that is known of a person as JSON: account, conversations, questions and answers, usage, audit.

    [dim]Example: ragapp people export ada > ada.json[/dim]
    """
    from ragapp.serve.forgetting import all_about

    with open_app(profile, data, quiet) as opened:
        person = _person(opened, name)
        out_json(all_about(opened.catalog, person))
        _audit(opened, "person.export", person.id)


@app.command()
def forget(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Delete an account and all data of its person: conversations with files, questions, answers, feedback, tokens.

    The audit and the figures of usage keep a bare id that leads to nobody. Documents that the person brought in are the
    company's and stay; backups that were made before hold what they hold.

    [dim]Example: ragapp people forget ada[/dim]
    """
    from ragapp.serve.forgetting import forget as forget_all

    with open_app(profile, data, quiet) as opened:
        person = _person(opened, name)
        sure = yes or json or not sys.stdin.isatty()
        if not sure and not typer.confirm(f"Delete {person.name} with all their data?", err=True):
            note("Nothing was deleted.")
            raise typer.Exit(1)
        left = forget_all(opened, person.id)
        _audit(opened, "person.remove", person.id)
    if json:
        out_json({"id": person.id, "deleted": True, "left": left})
        return
    out(f"{person.name} and all their data were deleted; the audit keeps the id {person.id}")
    if left and not quiet:
        note(left)


def _typed_password() -> str:
    """From the terminal without showing it, or the first line of what is piped in; never from the arguments, which
    other people of the machine can read."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("New password", hide_input=True, confirmation_prompt="The same again", err=True))


def _added(
    opened: RagApp, name: str, display: str, role: Literal["reader", "admin"], groups: frozenset[str]
) -> PersonRow:
    from ragapp.errors import RagappError
    from ragapp.serve.house import LOCAL_NAME

    if not name.strip() or len(name) > 200 or not name.isprintable() or seen(name) != name or name == LOCAL_NAME:
        raise RagappError(f"{name!r} can't be an account's name; choose another one of 1 to 200 characters.")
    return opened.catalog.people.add(name, display=display[:200], role=role, groups=_good_groups(groups))


def _good_groups(groups: frozenset[str]) -> frozenset[str]:
    from ragapp.serve.naming import group_names

    return group_names(groups)


def _person(opened: RagApp, name: str) -> PersonRow:
    import difflib

    found = opened.catalog.people.find(name=name)
    if found is None:
        known = [person.name for person in opened.catalog.people.list()]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "see: ragapp people list"
        raise CatalogError(f"Nobody is named {name}; {hint}")
    return found


def _note_new_groups(opened: RagApp, groups: frozenset[str], quiet: bool) -> None:
    """A slip of the pen in a group's name shows nothing to its people, and says nothing by itself."""
    from ragapp.catalog.groups import unknown_groups, unknown_in_words

    known = opened.catalog.access.known()
    if not quiet and (unknown := unknown_groups(groups, known)):
        note(f"{unknown_in_words(unknown)}; it shows nothing yet.")


def _audit(opened: RagApp, action: str, person_id: str, **detail: object) -> None:
    """Nobody known to the service did it: whoever may write the data folder."""
    opened.catalog.audit.note("", action, person_id, {**detail, "by": "command line"})


def _print_link(opened: RagApp, person: PersonRow, json: bool) -> None:
    from ragapp.serve.run import address

    secret = opened.catalog.credentials.invite(_LINK_LASTS, person_id=person.id)
    link = f"{address(opened.settings)}/join/{secret}"
    if json:
        out_json({"person": _as_json(person), "link": link, "expires_in_s": int(_LINK_LASTS.total_seconds())})
        return
    out(link)


def _print(person: PersonRow, json: bool) -> None:
    if json:
        out_json(_as_json(person))
    else:
        out(_in_words(person))


def _in_words(person: PersonRow) -> str:
    parts = [person.name, person.role, f"groups: {', '.join(sorted(person.groups)) or 'none'}"]
    if person.curates:
        parts.append(f"looks after: {', '.join(sorted(person.curates))}")
    if not person.active:
        parts.append("locked")
    elif not person.has_password and person.subject is None:
        parts.append("has no password yet")
    return "  ".join(parts)


def _as_json(person: PersonRow) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "display": person.display,
        "role": person.role,
        "active": person.active,
        "groups": sorted(person.groups),
        "curates": sorted(person.curates),
        "created": person.created.isoformat(),
        "signed_in": person.signed_in.isoformat() if person.signed_in else None,
        "has_password": person.has_password,
        "elsewhere": person.subject is not None,
    }
