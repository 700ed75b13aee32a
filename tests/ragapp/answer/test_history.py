"""Of a conversation only what its asker may still see is used, and no principal's passages reach another."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragapp import RagApp
from ragapp.access import LOCAL
from ragapp.answer.history import WITHHELD, confirmed
from ragapp.types import Passage, Principal, Turn

BOARD = Principal("ada", frozenset({"board"}))
OTHER = Principal("bob", frozenset({"sales"}))


@pytest.fixture
def told(fresh: RagApp, tmp_path: Path) -> tuple[RagApp, Passage]:
    note = tmp_path / "merger.md"
    note.write_text("# Merger\n\nThe firm buys the Ostrava foundry for 31 million euro.\n")
    fresh.ingest(note, groups=["board"])
    return fresh, fresh.search("Ostrava foundry", principal=BOARD)[0]


def test_another_principal_gets_the_question_alone(told: tuple[RagApp, Passage]) -> None:
    app, passage = told
    turns = (
        Turn("What is bought?", "The foundry.", (passage,), "[1] the prompt"),
        Turn("For how much?", "31 million."),
    )
    assert confirmed(turns, BOARD, app.catalog) == turns
    # the second answer was given from the first one's passages
    assert confirmed(turns, OTHER, app.catalog) == (
        Turn("What is bought?", WITHHELD),
        Turn("For how much?", WITHHELD),
    )


def test_what_was_removed_meanwhile_is_not_quoted_any_more(told: tuple[RagApp, Passage]) -> None:
    app, passage = told
    turn = Turn("What is bought?", "The foundry.", (passage,), "[1] the prompt")
    app.remove(app.plan_removal(passage.source))
    assert confirmed((turn,), BOARD, app.catalog) == (Turn("What is bought?", WITHHELD),)


def test_turns_that_rest_on_nothing_stay(fresh: RagApp) -> None:
    said = (Turn("Hello?", "Good morning."),)
    assert confirmed(said, LOCAL, fresh.catalog) == said


def test_the_chain_asks_with_what_is_left(told: tuple[RagApp, Passage]) -> None:
    app, passage = told
    turn = Turn("What is bought?", "The foundry.", (passage,), f"[1] <mark>{passage.text}")
    answer = app.ask("And for how much?", history=[turn], principal=OTHER)
    assert answer.status == "not_found"
    assert not answer.citations
    assert "foundry" not in answer.turn.prompt
