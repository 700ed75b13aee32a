"""ragapp ask: a cited answer, a conversation, or a file of questions."""

from __future__ import annotations

import io
import json as json_module
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragapp.cli.options import Collection, Data, Json, Profile, Quiet, note, open_app, out, out_json
from ragapp.errors import BadQuestion, EngineError, QuestionTooLong, RagappError

if TYPE_CHECKING:
    from ragapp.access import Scope
    from ragapp.app import RagApp
    from ragapp.cli.service_answers import ServiceAnswers
    from ragapp.types import Answer, Citation


def ask(
    question: Annotated[str | None, typer.Argument(help="The question; without one, a conversation begins.")] = None,
    questions: Annotated[
        Path | None, typer.Option("--questions", help="A JSONL file of id and question; prints a JSON line for each.")
    ] = None,
    collection: Collection = None,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Answer a question from the documents, every sentence with the place it rests on.

    What the documents don't hold is answered with "not in your documents" and the nearest documents.

    [dim]Example: ragapp ask "How many days of leave do I have?"[/dim]
    """
    if question is not None and not question.strip():
        raise BadQuestion("The question is empty; ask something.")
    if question is not None and questions is not None:
        raise typer.BadParameter("Give a question or --questions, not both.")
    rows = None if questions is None else list(read_questions(questions))
    with open_app(profile, data, quiet) as rag:
        narrowed = narrowing(rag, collection)
        app = answering(rag, quiet, conversing=question is None and rows is None)
        if rows is not None:
            _answer_file(app, rows, narrowed)
        elif question is None:
            _converse(app, rag.chain if app is rag else _nothing, narrowed, json, quiet)
        elif json:
            out_json(as_json(app.ask(question, narrowed=narrowed)))
        else:
            _print_stream(app, question, (), narrowed)


def answering(app: RagApp, quiet: bool, *, conversing: bool = False) -> RagApp | ServiceAnswers:
    """Who answers: this process, or the service that has the data folder open, since nobody else can then.

    Raises RagappError where there is nothing to answer from: "not in your documents" would be no answer to a slip of
    the pen in the folder's name.
    """
    from ragapp.cli.handover import handover, note_handover

    if not app.status().documents:
        raise RagappError(
            f"There are no documents in {app.settings.data} yet; take some in: ragapp ingest FOLDER "
            "(--data or RAGAPP_DATA names another data folder)."
        )
    service = handover(app.settings.data)
    if service is None:
        return app
    from ragapp.cli.service_answers import ServiceAnswers

    note_handover(service, quiet)
    return ServiceAnswers(service, conversing)


def _answer_file(app: RagApp | ServiceAnswers, rows: Sequence[dict[str, Any]], narrowed: Scope | None) -> None:
    """A JSON line for each question; one that has no answer has its reason there, and the others are answered."""
    asked = refused = 0
    for row in rows:
        asked += 1
        try:
            answer = as_json(app.ask(row["question"], history=row.get("history") or (), narrowed=narrowed))
        except (BadQuestion, QuestionTooLong, EngineError) as error:
            refused += 1
            answer = {"question": row["question"], "error": str(error)}
        out_json({"id": row["id"], **answer}, indent=None)
    if refused:
        raise typer.Exit(2 if refused == asked else 1)


def narrowing(app: RagApp, collections: list[str] | None) -> Scope | None:
    """The narrowing that a command's options ask for; the groups are the principal's and never taken from here.

    Raises RagappError for a collection that isn't there: "not in your documents" would be no answer to a slip of the
    pen.
    """
    if not collections:
        return None
    from ragapp.access import narrow

    known = app.catalog.collections()
    for name in collections:
        if name not in known:
            raise RagappError(f"There is no collection {name}; {_hint(name, known)}")
    return narrow(collections=collections)


def _hint(collection: str, known: Sequence[str]) -> str:
    from ragapp.profiles import suggest
    from ragapp.serve.naming import is_shown

    named = [each for each in known if is_shown(each)]
    return suggest(collection, named) if named else "nothing has been ingested yet."


def as_json(answer: Answer) -> dict[str, Any]:
    """An answer for programs."""
    return {
        "question": answer.question,
        "status": answer.status,
        "answer": answer.text,
        "citations": [
            {
                "marker": c.marker,
                "source": c.source,
                "title": c.title,
                "heading": c.heading,
                "page": c.page,
                "quote": c.quote,
                "start": c.start,
                "end": c.end,
                "score": c.score,
            }
            for c in answer.citations
        ],
        "nearest": [{"source": n.source, "title": n.title, "page": n.page} for n in answer.nearest],
        "reason": answer.reason,
        "timings": {
            "retrieve_s": answer.timings.retrieve_s,
            "first_token_s": answer.timings.first_token_s,
            "total_s": answer.timings.total_s,
        },
        "usage": {
            "prompt_tokens": answer.usage.prompt_tokens,
            "cached_tokens": answer.usage.cached_tokens,
            "completion_tokens": answer.usage.completion_tokens,
        },
        "model": answer.model,
    }


def read_questions(path: Path) -> Iterator[dict[str, Any]]:
    """Rows with id and question; a row that has none is named by its line."""
    try:
        # split at line feeds alone: JSON lets other separators of lines stand inside a question
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise RagappError(
            f"The questions in {path} can't be read: {getattr(error, 'strerror', None) or error}."
        ) from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json_module.loads(line)
            if not isinstance(row["question"], str):
                raise TypeError
            yield {"id": str(number), **row}
        except (ValueError, TypeError, KeyError):
            raise RagappError(
                f'Line {number} of {path} is no question; each line should be like {{"id": "1", "question": "…"}}.'
            ) from None


def _converse(
    app: RagApp | ServiceAnswers, prepare: Callable[[], object], narrowed: Scope | None, json: bool, quiet: bool
) -> None:
    """Questions from the terminal or a pipe, one a line, each with those before it as history.

    One that can't be answered doesn't end it. At a terminal Ctrl-C stops an answer, and ends the rest.
    """
    history: list[Answer] = []
    asked = refused = 0
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    terminal = sys.stdin.isatty()
    if terminal and not quiet:
        note("Ask away; Ctrl-C stops an answer, an empty line or Ctrl-D ends the conversation.")
    while (question := _next_question()) is not None:
        asked += 1
        # builds the parts at the first question; an import that Ctrl-C breaks off can't be begun again, so it ends all
        prepare()
        try:
            if json:
                answer = app.ask(question, history=history, narrowed=narrowed)
                out_json(as_json(answer), indent=None)
            else:
                answer = _print_stream(app, question, history, narrowed)
        except (BadQuestion, QuestionTooLong, EngineError) as error:
            refused += 1
            if json:
                out_json({"question": question, "error": str(error)}, indent=None)
            else:
                note(str(error))
            continue
        except KeyboardInterrupt:
            if not terminal:
                raise
            note("\nStopped; ask on.")
            continue
        history.append(answer)
    if refused and not terminal:
        raise typer.Exit(2 if refused == asked else 1)


def _nothing() -> None:
    """What is to be built before a question that the service answers."""


def _next_question() -> str | None:
    if sys.stdin.isatty():
        print("\n> ", end="", file=sys.stderr, flush=True)  # noqa: T201 - the prompt belongs to the terminal
        return sys.stdin.readline().strip() or None
    # in a pipe an empty line only parts questions; those after it are asked too
    return next((line.strip() for line in sys.stdin if line.strip()), None)


def _print_stream(app: RagApp | ServiceAnswers, question: str, history: Any, narrowed: Scope | None) -> Answer:
    """Print sentences as they come, then what they rest on."""
    from ragapp.answer.chain import written
    from ragapp.answer.events import Done, SentenceReady

    answer: Answer | None = None
    for event in app.stream(question, history=history, narrowed=narrowed):
        if isinstance(event, SentenceReady):
            out(written(event.sentence))
        elif isinstance(event, Done):
            answer = event.answer
    if answer is None:
        raise RagappError("The answer broke off; ask again.")
    if answer.status == "not_found":
        out(answer.text)
        for near in answer.nearest:
            out(f"  nearest: {near.title} ({place(near.source, near.page)})")
    else:
        out("")
        for citation in answer.citations:
            out(f"  [{citation.marker}] {_cited(citation)}")
    return answer


def _cited(citation: Citation) -> str:
    heading = f" - {citation.heading}" if citation.heading and citation.heading != citation.title else ""
    quote = " ".join(citation.quote.split())
    shown = quote if len(quote) <= 240 else quote[:239] + "…"
    return f'{citation.title}{heading} ({place(citation.source, citation.page)})\n      "{shown}"'


def place(source: str, page: int | None) -> str:
    """A source as short as it can be said from here, with its page."""
    try:
        short = str(Path(source).relative_to(Path.cwd()))
    except ValueError:
        short = source
    return f"{short}, page {page}" if page is not None else short
