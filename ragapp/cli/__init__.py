"""The command line: text to stdout, progress and notes to stderr; 0 did it, 1 did part, 2 could not."""

from __future__ import annotations

import os
import sys

import typer

from ragapp.cli import ask, evaluate, ingest, models, search, status
from ragapp.cli import doctor as doctor_command
from ragapp.errors import RagappError

app = typer.Typer(
    name="ragapp",
    help="Cited answers from your own documents, on your own hardware.",
    epilog="Start with: ragapp ingest FOLDER, then: ragapp ask 'your question'",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("ingest")(ingest.ingest)
app.command("ask")(ask.ask)
app.command("search")(search.search)
app.add_typer(evaluate.app, name="eval")
app.command("status")(status.status)
app.command("doctor")(doctor_command.doctor)
app.command("models")(models.models)


def main() -> None:
    """Run the command line; every failure ends in one sentence on stderr."""
    try:
        app()
    except RagappError as error:
        _end(str(error), 2)
    except KeyboardInterrupt:
        _end("Interrupted; what was finished before stays, and running it again goes on from there.", 130)
    except BrokenPipeError:
        # the reader of our output has left: nobody is there to be told
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        # the last door: a traceback would help no user, so the log keeps it
        import logging

        logging.getLogger("ragapp").exception("unexpected failure")
        _end(
            f"ragapp failed unexpectedly ({type(error).__name__}: {' '.join(str(error).split())[:300]}); see the log.",
            2,
        )


def _end(sentence: str, code: int) -> None:
    print(sentence, file=sys.stderr)  # noqa: T201 - the command line's own voice
    sys.exit(code)
