"""A model that may only quote is offered the likeliest statements, word for word, and only what its prompt holds."""

from collections.abc import Callable
from datetime import UTC, datetime

from ragapp.answer.quotes import quotes
from ragapp.answer.statements import Statement
from ragapp.answer.words import Stems
from ragapp.types import Passage

Make = Callable[..., Passage]


def anything(answer: str) -> bool:
    """No answer is too long."""
    return True


def said(text: str, passage: int = 0, cosine: float = 0.8) -> Statement:
    return Statement(text, passage, cosine, 1.0, of_another=False)


def test_a_clear_best_is_the_only_answer(passage: Make, stems: Stems) -> None:
    passages = [passage("Taxis need a receipt. Meals are paid by the day.")]
    statements = [said("Taxis need a receipt."), said("Meals are paid by the day.", cosine=0.3)]
    assert quotes(statements, passages, passages, stems, anything) == ("Taxis need a receipt. [1]",)


def test_where_ranking_is_unsure_the_model_chooses_what_is_said_beside_the_best(passage: Make, stems: Stems) -> None:
    passages = [passage("Taxis need a receipt.", "a"), passage("Every cab wants a bill", "b")]
    statements = [said("Taxis need a receipt.", 0), said("Every cab wants a bill", 1)]
    assert quotes(statements, passages, passages, stems, anything) == (
        "Taxis need a receipt. [1] Every cab wants a bill. [2]",
        "Taxis need a receipt. [1]",
    )


def test_a_statement_that_found_no_room_in_the_prompt_is_not_offered(passage: Make, stems: Stems) -> None:
    passages = [passage("Taxis need a receipt.", "a"), passage("Every cab wants a bill.", "b")]
    statements = [said("Every cab wants a bill.", 1), said("Taxis need a receipt.", 0)]
    assert quotes(statements, passages, passages[:1], stems, anything) == ("Taxis need a receipt. [1]",)
    assert quotes(statements[:1], passages, passages[:1], stems, anything) == ()


def test_where_the_best_found_no_room_the_likeliest_that_did_is_offered_however_far_behind(
    passage: Make, stems: Stems
) -> None:
    passages = [passage("Taxis need a receipt.", "a"), passage("Every cab wants a bill.", "b")]
    statements = [said("Every cab wants a bill.", 1), said("Taxis need a receipt.", 0, cosine=0.1)]
    assert quotes(statements, passages, passages[:1], stems, anything) == ("Taxis need a receipt. [1]",)


def test_of_two_dated_versions_the_newer_comes_first_and_both_dates_are_said(passage: Make, stems: Stems) -> None:
    rule = "Hotels in London cost up to {} EUR a night."
    old = passage(rule.format(150), "old", dated=datetime(2023, 1, 1, tzinfo=UTC))
    new = passage(rule.format(180), "new", dated=datetime(2025, 3, 1, tzinfo=UTC))
    taxi = passage("Every cab wants a bill.", "taxi")
    passages = [old, taxi, new]
    statements = [said(old.text, 0), said(taxi.text, 1), said(new.text, 2)]
    assert quotes(statements, passages, passages, stems, anything) == (
        "Hotels in London cost up to 180 EUR a night (2025-03-01). [3] "
        "Hotels in London cost up to 150 EUR a night (2023-01-01). [1]",
    )


class TestAnAnswerMayNotBeLong:
    """What doesn't fit would be cut off in the middle, and half a sentence may say the opposite of the whole."""

    def test_a_statement_that_is_too_long_is_left_to_the_next(self, passage: Make, stems: Stems) -> None:
        long, short = "Taxis need a receipt, unless they were ordered by the desk.", "Every cab wants a bill."
        passages = [passage(long, "a"), passage(short, "b")]
        statements = [said(long, 0), said(short, 1)]
        assert quotes(statements, passages, passages, stems, lambda answer: len(answer) < 40) == (f"{short} [2]",)

    def test_two_that_fit_only_alone_are_not_offered_together(self, passage: Make, stems: Stems) -> None:
        passages = [passage("Taxis need a receipt.", "a"), passage("Every cab wants a bill.", "b")]
        statements = [said(passages[0].text, 0), said(passages[1].text, 1)]
        assert quotes(statements, passages, passages, stems, lambda answer: len(answer) < 40) == (
            "Taxis need a receipt. [1]",
        )

    def test_of_two_versions_the_newer_one_is_left(self, passage: Make, stems: Stems) -> None:
        rule = "Hotels in London cost up to {} EUR a night."
        old = passage(rule.format(150), "old", dated=datetime(2023, 1, 1, tzinfo=UTC))
        new = passage(rule.format(180), "new", dated=datetime(2025, 3, 1, tzinfo=UTC))
        statements = [said(old.text, 0), said(new.text, 1)]
        assert quotes(statements, [old, new], [old, new], stems, lambda answer: len(answer) < 60) == (
            "Hotels in London cost up to 180 EUR a night. [2]",
        )
