"""ragapp eval: how well questions with known answers are found, cited and refused."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragapp.cli.ask import as_json as answer_json
from ragapp.cli.ask import read_questions
from ragapp.cli.handover import handover
from ragapp.cli.options import Data, Json, Profile, Quiet, note, open_app, out, out_json
from ragapp.errors import RagappError

if TYPE_CHECKING:
    from ragapp.evaluate.metrics import Outcome, Share
    from ragapp.types import Answer

app = typer.Typer(no_args_is_help=True, help="Measure how good the answers are.")


@app.callback()
def _evaluate() -> None:
    """Measure how good the answers are."""


@app.command("run")
def run(
    questions: Annotated[Path, typer.Argument(help="JSONL with id, question, answer, source, answerable.")],
    half: Annotated[
        str | None, typer.Option("--half", help="Only the questions whose half is this (tune or test).")
    ] = None,
    details: Annotated[
        Path | None, typer.Option("--details", help="Write each question's outcome and answer here as JSONL.")
    ] = None,
    profile: Profile = None,
    data: Data = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Ask every question of a file and count: right source found, cited, refused where there is no answer.

    [dim]Example: ragapp eval run examples/questions.jsonl[/dim]
    """
    rows = [row for row in read_questions(questions) if half is None or row.get("half") == half]
    if not rows:
        raise RagappError(f"There are no questions to ask in {questions}.")
    if details:
        _writable(details)
    from ragapp.evaluate import runner

    answers: dict[str, Answer] = {}
    with open_app(profile, data, quiet) as rag, _Bar(len(rows), quiet) as bar:
        if service := handover(rag.settings.data):
            raise RagappError(
                f"The service at {service.url} has this data folder open, and answers are measured while nobody else "
                "asks; stop it, then try again."
            )

        def done(outcome: Outcome, answer: Answer) -> None:
            answers[outcome.id] = answer
            bar.step()

        outcomes, unasked = asyncio.run(runner.run(rag, rows, done))
    if details:
        _write_details(details, outcomes, answers)
    for question in unasked:
        note(f"not asked  {question.id}: {question.reason}")
    if not outcomes:
        raise RagappError(f"No question of {questions} could be asked.")
    _report(outcomes, json)
    raise typer.Exit(1 if unasked else 0)


def _report(outcomes: list[Outcome], json: bool) -> None:
    from ragapp.evaluate.metrics import metrics

    halves = sorted({o.half for o in outcomes if o.half})
    parts = {"all": outcomes} | {name: [o for o in outcomes if o.half == name] for name in halves if len(halves) > 1}
    tables = {part: metrics(chosen) for part, chosen in parts.items()}
    if json:
        out_json({part: {name: _share_json(share) for name, share in table.items()} for part, table in tables.items()})
        return
    for part, table in tables.items():
        out(f"{part}: {len(parts[part])} questions")
        for name, share in table.items():
            low, high = share.interval
            out(f"  {name:<50} {share.value:6.1%}  {share.hits:3d} of {share.of:3d}  (95%: {low:.0%} to {high:.0%})")


def _share_json(share: Share) -> dict[str, Any]:
    return {
        "share": round(share.value, 4),
        "hits": share.hits,
        "of": share.of,
        "interval": [round(v, 4) for v in share.interval],
    }


def _writable(path: Path) -> None:
    """Raise before the long run, not after it, where its details can't be written."""
    try:
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise RagappError(f"The details can't be written to {path} ({error.strerror}); name another file.") from None


def _write_details(path: Path, outcomes: list[Outcome], answers: dict[str, Answer]) -> None:
    import json as json_module
    from dataclasses import asdict

    with path.open("w", encoding="utf-8") as sink:
        for outcome in outcomes:
            row = {**asdict(outcome), "given": answer_json(answers[outcome.id])}
            sink.write(json_module.dumps(row, ensure_ascii=False) + "\n")


class _Bar:
    """Progress over a known number of questions: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, total: int, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._total, self._done, self._quiet = total, 0, quiet
        live = not quiet and sys.stderr.isatty()
        self._progress = Progress(console=Console(stderr=True), transient=True) if live else None
        self._task = self._progress.add_task("asking", total=total) if self._progress else None

    def __enter__(self) -> _Bar:
        if self._progress:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress:
            self._progress.stop()

    def step(self) -> None:
        self._done += 1
        if self._progress and self._task is not None:
            self._progress.advance(self._task)
        elif not self._quiet and self._done % 10 == 0:
            print(f"{self._done}/{self._total} questions", file=sys.stderr, flush=True)  # noqa: T201 - the CLI's voice
