"""The date and the language that a document gives itself; nothing where it is not sure."""

import pytest

from ingest.read.dates import dated_title, own_date
from ingest.read.language import language_of


@pytest.mark.parametrize(
    ("line", "date"),
    [
        ("Effective date: 1 March 2024", "2024-03-01"),
        ("Version 2.1, 2024-03-01", "2024-03-01"),
        ("Document HR-G-11, version 1. Effective date: 1 April 2022. Owner: HR.", "2022-04-01"),
        ("Stand: 01.03.2024", "2024-03-01"),
        ("Stand: 5. März 2024", "2024-03-05"),
        ("Date: March 5th, 2024", "2024-03-05"),
        ("Edition 2024-09, valid for deliveries from 15 October 2024", "2024-09-01"),
        ("Valid from 1 January 2025", "2025-01-01"),
        ("Date of signature: 22 March 2024. Start of service: 1 April 2024.", "2024-03-22"),
    ],
)
def test_a_labelled_date_near_the_top_is_the_documents_own(line: str, date: str) -> None:
    found = own_date(f"A policy\n{line}\nText.")
    assert found is not None and found.date().isoformat() == date


@pytest.mark.parametrize(
    "line",
    [
        "We met on 3 May 2023.",
        "Date of birth: 26 June 1968",
        "Updated 03/04/2024",
        "Date: 31 February 2024",
        "The contract of 2 May 2023 ends.",
        "He proposes an increase of four percent on average for all the pumps and of six percent for the spare "
        "parts of the older series, valid from 1 January 2025.",
        "Version 3 replaces all earlier ones. The last was written on 3 May 2021.",
    ],
)
def test_other_dates_are_not(line: str) -> None:
    assert own_date(line) is None


def test_a_date_far_from_the_top_is_not() -> None:
    assert own_date("word " * 1000 + "\nDate: 1 March 2024") is None


def test_a_title_that_ends_with_a_full_date_gives_it() -> None:
    found = dated_title("Minutes of the board, 20 February 2025")
    assert found is not None and found.date().isoformat() == "2025-02-20"
    assert dated_title("Incident report 2025-03") is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The pump is in the hall and it will be moved with the crane that we have.", "en"),
        ("Die Pumpe ist in der Halle und wird mit dem Kran auf den Wagen gehoben, der für sie da ist.", "de"),
        ("La pompe est dans le hall et elle sera levée avec la grue qui est sur le camion.", "fr"),
        ("אני חושב שזה לא יהיה מקצועי", "he"),
        ("E01 E02 E03 4711", None),
        ("", None),
    ],
)
def test_languages(text: str, language: str | None) -> None:
    assert language_of(text) == language
