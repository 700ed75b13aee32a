"""Time to first token of real follow-ups against that of the questions they follow, in real conversations."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from benchmarks.table import Row, print_rows
from ragapp import Answer, RagApp

EXAMPLES = Path(__file__).parent.parent / "examples" / "documents"
CONVERSATIONS = (
    ("What is the hotel limit in London?", "And in Germany?"),
    ("How long is the warranty on Corvus pumps?", "And on Aquila pumps?"),
    ("By when do I have to enter my summer holiday in the portal?", "Who approves it?"),
    ("How many torque wrenches had passed their calibration date?", "And which of them were in use?"),
    ("What notice period applies to the Beskyd agreement?", "And which penalties does it name?"),
    ("How many days of annual leave do we get in Germany?", "And in Hull?"),
)


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, RagApp(data=Path(folder)) as app:
        app.ingest(EXAMPLES)
        app.engine.start()
        app.ask("When is the fire drill in Hull?")  # the first of all pays for things that no later one does
        pairs = [_pair(app, *conversation) for conversation in CONVERSATIONS]
    firsts = [_first_token(first) for first, second in pairs if _both(first, second)]
    seconds = [_first_token(second) for first, second in pairs if _both(first, second)]
    ours, baseline = statistics.median(seconds), statistics.median(firsts)
    return [
        Row(
            f"first token of follow-ups, median of {len(seconds)} conversations",
            f"{ours:.2f} s",
            f"of their first questions: {baseline:.2f} s",
            ours / baseline,
            "≤ 0.5",
        )
    ]


def _pair(app: RagApp, question: str, follow_up: str) -> tuple[Answer, Answer]:
    first = app.ask(question)
    return first, app.ask(follow_up, history=[first])


def _both(first: Answer, second: Answer) -> bool:
    """Whether both were generated; a refusal has no first token."""
    return first.timings.first_token_s is not None and second.timings.first_token_s is not None


def _first_token(answer: Answer) -> float:
    return answer.timings.first_token_s or 0.0


if __name__ == "__main__":
    print_rows(measure)
