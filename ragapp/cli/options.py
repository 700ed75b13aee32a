"""The options that every command takes, and what they make."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragapp.answer.unseen import escaped_json, seen
from ragapp.errors import RagappError
from ragapp.settings import Settings

if TYPE_CHECKING:
    from ragapp.app import RagApp

Profile = Annotated[
    str | None,
    typer.Option("--profile", help="Profile by name (laptop, gpu) or YAML file. Environment: RAGAPP_PROFILE."),
]
Data = Annotated[
    Path | None, typer.Option("--data", help="Folder that holds everything ragapp keeps. Environment: RAGAPP_DATA.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes on stderr.")]
JsonProgress = Annotated[bool, typer.Option("--json-progress", help="Progress as JSON lines on stderr, for programs.")]
Everyone = Annotated[bool, typer.Option("--everyone", help="Everybody may see it.")]
Collection = Annotated[
    list[str] | None, typer.Option("--collection", help="Only documents of this collection (repeatable).")
]


def settings(profile: str | None, data: Path | None) -> Settings:
    """Settings from a command's options; what is not given is left to profile and environment."""
    given: dict[str, Any] = {}
    if profile is not None:
        given["profile"] = profile
    if data is not None:
        given["data"] = data
    return Settings(**given)


def open_app(profile: str | None, data: Path | None, quiet: bool) -> RagApp:
    """A RagApp that says on stderr what takes long."""
    from ragapp.app import RagApp
    from ragapp.logs import open_process_log

    chosen = settings(profile, data)
    open_process_log(chosen)
    return RagApp(chosen, say=(lambda _: None) if quiet else note)


def number_of(count: int, what: str) -> str:
    """`1 chunk`, `2 chunks`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def note(sentence: str) -> None:
    """Something for the person, not for the pipe."""
    print(seen(sentence), file=sys.stderr, flush=True)  # noqa: T201 - the command line's own voice


def out(text: str) -> None:
    """A line of the result; a document's control characters would command the terminal, and what isn't seen would have
    it show something else, so both are marked."""
    _print(seen(text))


def _print(text: str) -> None:
    try:
        print(text.encode("utf-8", "backslashreplace").decode(), flush=True)  # noqa: T201 - the command line's own voice
    except BrokenPipeError:
        raise  # its reader has left and wants no more, which is no fault
    except OSError as error:
        raise RagappError(can_not_take(error)) from None


def can_not_take(error: OSError) -> str:
    """Why the output was not written, for the person."""
    return f"What the output goes to can't take it ({error.strerror}); free some space there, or send it elsewhere."


def out_json(value: Any, *, indent: int | None = 2) -> None:
    """A result for programs; what is no text, would end a line for some readers, or is beyond what stdout can write, is
    escaped."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    text = json.dumps(value, ensure_ascii=not encoding.lower().startswith("utf"), indent=indent)
    _print(escaped_json(text))
