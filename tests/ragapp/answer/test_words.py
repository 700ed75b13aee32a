"""What of a text can be compared: numbers in one spelling, names only where capitals mean something."""

import pytest

from ragapp.answer.words import below_zero, counted, figures_of, names, numbers, words


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1,200.50", "1200.5"),
        ("1.200,50", "1200.5"),
        ("1 200,50", "1200.5"),
        ("1'200", "1200"),
        ("1,200", "1200"),
        ("1.200.000", "1200000"),
        ("12.50", "12.5"),
        ("12,5", "12.5"),
        ("0.5", "0.5"),
        ("1\u2009200", "1200"),
        ("007", "7"),
        ("24", "24"),
    ],
)
def test_a_number_is_the_same_in_every_spelling(written: str, meant: str) -> None:
    assert numbers(f"It costs {written} in all") == {meant}


def test_what_is_certainly_below_zero() -> None:
    certain, maybe = below_zero("from -20 to \u221210, at -\u20ac7,50, (-3), of \u22125")
    assert certain == maybe == {"20", "10", "7.5", "3", "5"}


@pytest.mark.parametrize(
    "written", ["8-10", "10%\u201320%", "8:00 -17:00", "Costs -4", "\n-5 apples", "+/-5", "(4,500)"]
)
def test_a_range_a_list_and_a_ledger_only_may_be(written: str) -> None:
    certain, maybe = below_zero(written)
    assert not certain
    assert maybe <= numbers(written) <= figures_of(written)


def test_number_words_count_only_where_they_are_counts() -> None:
    assert numbers("two weeks and zwölf Tage", spelled=True) == {"2", "12"}
    assert counted("one of the two rules") == {"2"}


def test_four_digits_begin_no_group_of_thousands() -> None:
    assert numbers("in 2023 150 people") == {"2023", "150"}


def test_number_words_go_to_ninety_nine_and_stand_in_compounds() -> None:
    assert counted("thirty days, twenty-one countries, einundzwanzig Länder, dreißig Tage") == {"30", "21"}
    assert numbers("a three-month notice period", spelled=True) == {"3"}
    assert counted("a two-factor login") == frozenset()


def test_names_are_capitals_inside_a_sentence() -> None:
    assert names("The caretaker is Ida Nowak of Gdansk.") == {"ida", "nowak", "gdansk"}
    assert names("Caretakers are helpful. Everybody is.") == frozenset()


def test_capitals_say_nothing_in_german_or_in_headlines() -> None:
    assert names("Die Mitarbeiter erhalten für Reisen nach Polen den Satz der Firma") == frozenset()
    assert names("The Annual Report Of The Whole Company") == frozenset()


def test_words_keep_hyphens_and_apostrophes() -> None:
    assert words("The on-call engineer's rota, e-mail 24/7") == [
        "the",
        "on-call",
        "engineer's",
        "rota",
        "e-mail",
        "24",
        "7",
    ]
