"""ragapp search: the passages alone, and why each was found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragapp.cli.ask import answering, narrowing, place, read_questions
from ragapp.cli.options import Collection, Data, Json, Profile, Quiet, open_app, out, out_json
from ragapp.errors import BadQuestion

if TYPE_CHECKING:
    from ragapp import RagApp
    from ragapp.access import Scope
    from ragapp.cli.service_answers import ServiceAnswers
    from ragapp.types import Passage


def search(
    query: Annotated[str | None, typer.Argument(help="What to look for.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, max=100, help="Passages at most.")] = None,
    questions: Annotated[
        Path | None, typer.Option("--questions", help="A JSONL file of id and question; prints a JSON line for each.")
    ] = None,
    collection: Collection = None,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show the passages that retrieval finds, best first, with the rank that each stage gave them.

    [dim]Example: ragapp search "notice period" --limit 5[/dim]
    """
    if questions is None and not (query or "").strip():
        raise BadQuestion("There is nothing to look for; give a query or --questions FILE.")
    if query is not None and questions is not None:
        raise typer.BadParameter("Give a query or --questions, not both.")
    rows = None if questions is None else list(read_questions(questions))
    with open_app(profile, data, quiet) as rag:
        narrowed = narrowing(rag, collection)
        app = answering(rag, quiet)
        if rows is not None:
            _search_file(app, rows, limit, narrowed)
            return
        found = app.search(query or "", limit=limit, narrowed=narrowed)
    if json:
        out_json({"query": query, "passages": [as_json(passage) for passage in found]})
    elif not found:
        out("Nothing found.")
    else:
        for number, passage in enumerate(found, 1):
            _print(number, passage)


def _search_file(
    app: RagApp | ServiceAnswers, rows: Sequence[dict[str, Any]], limit: int | None, narrowed: Scope | None
) -> None:
    """A JSON line for each question; an empty one has its reason there, and the others are searched for."""
    asked = refused = 0
    for row in rows:
        asked += 1
        if row["question"].strip():
            found = app.search(row["question"], limit=limit, narrowed=narrowed)
            out_json({"id": row["id"], "passages": [as_json(passage) for passage in found]}, indent=None)
        else:
            refused += 1
            out_json({"id": row["id"], "passages": [], "error": "The question is empty; ask something."}, indent=None)
    if refused:
        raise typer.Exit(2 if refused == asked else 1)


def as_json(passage: Passage) -> dict[str, Any]:
    """A passage for programs."""
    return {
        "source": passage.source,
        "title": passage.title,
        "page": passage.page,
        "heading": passage.heading,
        "text": passage.text,
        "start": passage.start,
        "end": passage.end,
        "score": round(passage.score, 4),
        "ranks": {stage: score.rank for stage, score in passage.scores.items()},
        "scores": {stage: round(score.score, 4) for stage, score in passage.scores.items()},
    }


def _print(number: int, passage: Passage) -> None:
    ranks = ", ".join(f"{stage} {score.rank} ({score.score:.2f})" for stage, score in passage.scores.items())
    out(f"{number}. {passage.title} - {passage.heading}" if passage.heading else f"{number}. {passage.title}")
    out(f"   {place(passage.source, passage.page)}   {ranks}")
    text = " ".join(passage.text.split())
    out(f"   {text if len(text) <= 400 else text[:399] + '…'}\n")
