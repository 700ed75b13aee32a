"""Sentences and rows are ranked by meaning and by the question's words; each stands in its passage word for word."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ragapp.answer.statements import rank, weigh_words
from ragapp.answer.words import Stems
from ragapp.types import Passage

Make = Callable[..., Passage]
RULES = "Hotels cost up to 120 EUR a night. Meals are paid by the day.\nTaxis need a receipt from the driver."


def flat(texts: Sequence[str]) -> NDArray[np.float32]:
    """An embedder to which all texts mean the same."""
    return np.ones((len(texts), 1), np.float32)


def ranked(question: str, passages: list[Passage], stems: Stems) -> list[str]:
    weights = weigh_words(question, passages, stems)
    return [statement.text for statement in rank(question, passages, weights, stems, flat)]


def test_the_statement_with_the_questions_words_comes_first(passage: Make, stems: Stems) -> None:
    found = ranked("Do taxis need a receipt?", [passage(RULES)], stems)
    assert found[0] == "Taxis need a receipt from the driver."
    assert sorted(found) == sorted(["Hotels cost up to 120 EUR a night.", "Meals are paid by the day.", found[0]])


def test_headings_speak_for_what_stands_below_them(passage: Make, stems: Stems) -> None:
    rows = [
        passage("Limit per night: 120 EUR | London: 180 EUR", "a"),
        passage("Limit per day: 30 EUR | London: 40 EUR", "b"),
    ]
    under = [passage(rows[0].text, "a", headings=("Meals",)), passage(rows[0].text, "b", headings=("Hotels",))]
    weights = weigh_words("hotel limit in London", under, stems)
    assert rank("hotel limit in London", under, weights, stems, flat)[0].passage == 1


def test_stray_cells_and_headings_are_no_statements(passage: Make, stems: Stems) -> None:
    assert ranked("hotels", [passage("Hotels\n\n120 EUR\n\nHotels cost 120 EUR a night.")], stems) == [
        "Hotels cost 120 EUR a night."
    ]


def test_nothing_to_rank_is_nothing(stems: Stems) -> None:
    assert ranked("anything", [], stems) == []


def test_a_misspelled_word_counts_as_the_one_it_was_meant_to_be(passage: Make, stems: Stems) -> None:
    pool = [passage("Travel expenses are paid within a month.")]
    weights = weigh_words("When are travel expences paid?", pool, stems)
    assert weights.share(stems(pool[0].text)) == 1.0


def test_names_and_figures_are_never_taken_for_others(passage: Make, stems: Stems) -> None:
    pool = [passage("Gasket DN200300 costs 4 EUR.")]
    weights = weigh_words("gasket DN200301", pool, stems)
    assert weights.share(stems(pool[0].text)) < 1.0


def test_a_statement_about_another_of_the_kind_stands_behind(passage: Make, stems: Stems) -> None:
    passages = [passage("The torque of the P350 bolts is 45 Nm.\nThe torque of bolts M16 on a P200 is 30 Nm.")]
    assert ranked("What is the torque of the P200 bolts?", passages, stems)[0].startswith("The torque of bolts M16")
