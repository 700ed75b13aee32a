"""A sentence is attributed to the words it rests on, whatever the model claimed."""

from collections.abc import Callable

import pytest

from ragapp.answer.citations import Markers, cite
from ragapp.answer.words import Stems
from ragapp.types import Passage

Make = Callable[..., Passage]
HOURS = "The office opens at 7:30. The caretaker is Ida Nowak.\nVisitors sign in at the desk."
HOTEL = "Hotels in London cost up to 180 EUR a night. Elsewhere the limit is 120 EUR."


def test_a_sentence_without_marker_goes_to_the_passage_with_its_words(passage: Make, stems: Stems) -> None:
    passages = [passage(HOTEL, "travel"), passage(HOURS, "office")]
    cited = cite("The caretaker of the office is Ida Nowak.", passages, "Who is the caretaker?", stems, 0.6)
    assert [c.source for c in cited.citations] == ["office.md"]
    assert cited.citations[0].quote == "The caretaker is Ida Nowak."
    assert not cited.invented


def test_the_quote_is_exactly_its_span(passage: Make, stems: Stems) -> None:
    cited = cite("Visitors sign in at the desk.", [passage(HOURS)], "Where do visitors sign in?", stems, 0.6)
    citation = cited.citations[0]
    assert HOURS[citation.start - 100 : citation.end - 100] == citation.quote == "Visitors sign in at the desk."


def test_a_right_marker_is_believed(passage: Make, stems: Stems) -> None:
    twins = [passage(HOURS, "old"), passage(HOURS, "new")]
    cited = cite("The office opens at 7:30 [2].", twins, "When does it open?", stems, 0.6)
    assert [c.source for c in cited.citations] == ["new.md"]
    assert cited.text == "The office opens at 7:30."


def test_a_marker_on_the_wrong_passage_is_put_right(passage: Make, stems: Stems) -> None:
    passages = [passage(HOTEL, "travel"), passage(HOURS, "office")]
    cited = cite("The office opens at 7:30 [1].", passages, "When does it open?", stems, 0.6)
    assert [c.source for c in cited.citations] == ["office.md"]


def test_a_marker_that_names_no_passage_never_stays_in_the_text(passage: Make, stems: Stems) -> None:
    ways = (
        "[7]",
        "[Source 9]",
        "[0]",
        "[1, 12]",
        "[source]",
        "[Source: 7]",
        "[passage 7]",
        "[1 and 9]",
        "(doc. 4)",
        "【7】",
    )
    for marker in ways:
        cited = cite(f"The office opens at 7:30 {marker}.", [passage(HOURS)], "When?", stems, 0.6)
        assert cited.text == "The office opens at 7:30."
        assert {c.marker for c in cited.citations} <= {1}


def test_invented_numbers_and_names_are_named(passage: Make, stems: Stems) -> None:
    cited = cite("The office opens at 9:15 says Bob Miller.", [passage(HOURS)], "When does it open?", stems, 0.6)
    assert cited.invented == {"9", "15", "bob", "miller"}


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("Vaccines are kept at -20 °C.", "Vaccines are kept at 20 °C."),
        ("Vaccines are kept at 20 °C.", "Vaccines are kept at -20 °C."),
        ("Vaccines are kept at -20 °C or below.", "Vaccines are kept at 20 °C or below."),
        ("Cool the sample down to -80 °C.", "Cool the sample down to 80 °C."),
        ("Impfstoffe lagern bei -20 °C.", "Impfstoffe lagern bei 20 °C."),
        ("Profit fell from 5 million to -3 million.", "Profit fell from 5 million to 3 million."),
    ],
)
def test_a_sign_that_is_certain_is_part_of_a_figure(passage: Make, stems: Stems, held: str, said: str) -> None:
    assert cite(said, [passage(held)], "How cold?", stems, 0.3).invented


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("Vaccines are kept at -20 °C.", "Vaccines are kept at −20 °C."),
        ("Vaccines are kept at -20 °C.", "Vaccines are kept at 20 degrees below zero."),
        ("Vaccines are kept at 20 degrees below zero.", "Vaccines are kept at -20 °C."),
        ("Kept at -20 °C", "-20 °C is how it is kept"),
        ("Revenue in the north: -4.5 %.", "Revenue in the north fell by 4.5 %."),
        ("Costs -1,200", "Costs were 1,200"),
        ("Net result (4,500)", "A net result of -4,500"),
        ("Stored at -40...-20 °C", "Stored from -40 to -20 °C"),
        ("Stored at -25--15 °C", "Stored from -25 to -15 °C"),
        ("north,12,-4", "north 12 and -4"),
        ("10%–20% of members pay", "10% to 20% of members pay"),
        ("10% to 20% of members pay", "10%–20% of members pay"),
        ("open 8:00 -17:00", "open 8:00 to 17:00"),
        ("Tel. 044 123 45 -67", "Tel. 044 123 45 67"),
        ("Tolerance +/-5 mm", "Tolerance ±5 mm"),
        ("Bring to the picnic:\n-5 apples\nBring apples to the picnic early.", "Bring 5 apples to the picnic."),
    ],
)
def test_a_dash_that_may_be_something_else_is_no_sign(passage: Make, stems: Stems, held: str, said: str) -> None:
    assert not cite(said, [passage(held)], "How much?", stems, 0.3).invented


def test_a_question_does_not_confirm_a_figure_of_the_other_sign(passage: Make, stems: Stems) -> None:
    kept = passage("Vaccines are kept at -20 °C for 30 days.")
    said = "Vaccines are kept at 20 °C for 30 days."
    assert cite(said, [kept], "Are vaccines kept at -20 °C?", stems, 0.3).invented == {"20"}


def test_what_the_question_named_is_not_invented(passage: Make, stems: Stems) -> None:
    cited = cite("In Zurich the limit is 120 EUR.", [passage(HOTEL)], "What is the limit in Zurich?", stems, 0.3)
    assert not cited.invented


def test_a_sentence_over_two_documents_cites_both(passage: Make, stems: Stems) -> None:
    passages = [passage("In 2023 the hotel limit was 100 EUR.", "p2023"), passage("In 2025 it is 130 EUR.", "p2025")]
    cited = cite("The hotel limit was 100 EUR in 2023 and is 130 EUR in 2025.", passages, "hotel limit?", stems, 0.5)
    assert {c.source for c in cited.citations} == {"p2023.md", "p2025.md"}
    assert not cited.invented


def test_the_page_is_that_of_the_quote(passage: Make, stems: Stems) -> None:
    two_pages = passage(HOURS, pages=(4, 5), page_starts=(100, 100 + HOURS.index("Visitors")))
    cited = cite("Visitors sign in at the desk.", [two_pages], "visitors?", stems, 0.6)
    assert cited.citations[0].page == 5


def test_one_quote_has_one_number(passage: Make, stems: Stems) -> None:
    citation = cite("The office opens at 7:30.", [passage(HOURS)], "When?", stems, 0.6).citations[0]
    markers = Markers()
    assert markers.number(citation)[1] is True
    again, new = markers.number(citation)
    assert (again.marker, new) == (1, False)


def test_what_is_no_marker_stays(passage: Make, stems: Stems) -> None:
    for text in ("Valves [type B only] open at 7 bar.", "The limit (No smoking) holds.", "See the passage (7 m long)."):
        assert cite(text, [passage(HOURS)], "What?", stems, 0.6).text == text


def test_what_a_passage_says_in_brackets_stays(passage: Make, stems: Stems) -> None:
    for text in (
        "Smoking is [not] allowed in the hall.",
        "Press [Enter] to save and [Esc] to leave.",
        "Values in [0, 1] are accepted.",
        "The range [5, 40] is safe.",
        "The first is list[0] of the two.",
        "Use the form (No. 12) for it.",
        "The contract (document 7 of the annex) holds.",
        "Es gilt § 5 [neu] der Satzung.",
    ):
        cited = cite(f"{text} [1]", [passage(f"A rule. {text} Another.")], "What?", stems, 0.6)
        assert cited.text == text
        assert [c.quote for c in cited.citations] == [text]


def test_a_documents_footnotes_are_no_markers_of_ours(passage: Make, stems: Stems) -> None:
    held = "The office opens at 7:30.[1] The caretaker [2, 3] is Ida Nowak [17]."
    passages = [passage(held), passage(HOTEL, "travel"), passage("Another text.", "other")]
    assert cite(held, passages, "When?", stems, 0.6).text == "The office opens at 7:30. The caretaker is Ida Nowak."


def test_figures_that_stand_apart_are_found_again_on_one_line(passage: Make, stems: Stems) -> None:
    rows = (
        "Storage fee per pallet      120        150        180\nHandling                     10         12         14"
    )
    cited = cite("Storage fee per pallet 120 150 180. [1]", [passage(rows)], "What is the storage fee?", stems, 0.6)
    assert not cited.invented
    assert cited.citations[0].quote == rows.splitlines()[0]
    broken = passage("The firm had in the year 2023\n150 employees, and 1\u2009200 kg of freight a day were moved.")
    for text in ("The firm had in the year 2023 150 employees.", "1 200 kg of freight a day were moved."):
        assert not cite(text, [broken], "How many?", stems, 0.5).invented


def test_a_figure_of_the_question_is_not_confirmed_by_repeating_it(passage: Make, stems: Stems) -> None:
    fee = passage("The annual fee for members is 300 euro.")
    assert cite("The annual fee is 500 euro. [1]", [fee], "Is the annual fee 500 euro?", stems, 0.6).invented == {"500"}
    answer = "For 500 members the annual fee is 300 euro. [1]"
    assert not cite(answer, [fee], "What is the annual fee for 500 members?", stems, 0.6).invented


def test_number_words_and_figures_are_the_same(passage: Make, stems: Stems) -> None:
    notice = passage("There is a three-month notice period, and thirty days to pay in twenty-one countries.")
    for text in (
        "The notice period is three months.",
        "The notice period is 3 months.",
        "30 days to pay.",
        "21 countries.",
    ):
        assert not cite(text, [notice], "What?", stems, 0.3).invented


def test_two_revisions_of_one_document_have_two_numbers(passage: Make, stems: Stems) -> None:
    markers = Markers()
    old, new = (
        cite("The office opens at 7:30.", [passage(HOURS, revision=n)], "When?", stems, 0.6).citations[0]
        for n in (1, 2)
    )
    assert [markers.number(c)[0].marker for c in (old, new, old)] == [1, 2, 1]
