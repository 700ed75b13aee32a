"""Sentences of passages keep their spans; sentences of a stream come as soon as they are complete, whole."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragapp.answer.sentences import SentenceStream, spans


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in spans(text)]


def test_full_stops_that_end_nothing() -> None:
    assert cut("Dr. Nowak pays 3.5 EUR, e.g. for tea. She is from St. Gallen.") == [
        "Dr. Nowak pays 3.5 EUR, e.g. for tea.",
        "She is from St. Gallen.",
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "Kosten werden evtl. nicht erstattet.",
        "The price is 30 euro per person incl. breakfast and taxes.",
        "Der Umsatz betrug etwa 5 Mio. Euro.",
        "Der Preis versteht sich zzgl. Versand gem. Anlage.",
        "Call ext. 4411 of the sales dept. before noon.",
        "See the terms (vol. three) first.",
    ],
)
def test_shortened_words_end_no_sentence(sentence: str) -> None:
    assert cut(f"{sentence} It is so.") == [sentence, "It is so."]


def test_who_writes_no_capitals_has_sentences_too() -> None:
    assert cut("we meet at the station. bring the keys") == ["we meet at the station.", "bring the keys"]


def test_lines_are_sentences_of_their_own() -> None:
    assert cut("Product: A | Price: 3\nProduct: B | Price: 4") == ["Product: A | Price: 3", "Product: B | Price: 4"]


def test_a_line_that_was_broken_for_being_full_is_no_sentence() -> None:
    wrapped = "The warranty is extended to 60 months if the buyer holds a\nVarnLink Pro subscription. It ends with it."
    assert cut(wrapped) == [
        "The warranty is extended to 60 months if the buyer holds a\nVarnLink Pro subscription.",
        "It ends with it.",
    ]
    items = "The handbook and what else belongs on the desk of everybody\n- a lamp\n- a chair"
    assert len(cut(items)) == 3
    rows = "Place: London | Highest price a night, breakfast included: 175 pounds\nPlace: Hull | Price: 90 pounds"
    assert len(cut(rows)) == 2
    columns = (
        "Storage fee per pallet      120        150        180\nHandling                     10         12         14"
    )
    assert len(cut(columns)) == 2


def test_dots_that_lead_to_a_figure_end_nothing() -> None:
    rows = "Corvus process pumps ............... 36 months\nSpare parts ........................ 12 months"
    assert cut(rows) == rows.splitlines()


def test_markers_stay_with_their_sentence() -> None:
    assert cut("It opens at 7:30. [1] It closes late [2, 3].") == ["It opens at 7:30. [1]", "It closes late [2, 3]."]


@pytest.mark.parametrize(
    "sentences",
    [
        ("It opens at 7:30. [Source 1]", "It closes late. [Source 2, 3]", "Ask."),
        ("It opens at 7:30. [1-2]", "It closes late. [1 and 2]", "Ask."),
        ("It opens at 7:30. [1][2]", "It closes late.【3】", "Ask."),
        ("Press it. [1]", "[Enter] is the key. [2]", "Ask."),
        ("会员年费为二十欧元。[1]", "停车票由管理员出售。[2][3]", "他说：「是。」[1]", "好"),
    ],
)
def test_a_marker_in_any_form_stays_with_its_sentence_and_holds_up_no_other(sentences: tuple[str, ...]) -> None:
    text = (" " if sentences[0].isascii() else "").join(sentences)
    assert tuple(cut(text)) == sentences
    stream = SentenceStream()
    streamed = [sentence for letter in text for sentence in stream.feed(letter)]
    assert (*streamed, stream.rest()) == sentences


def test_a_stream_gives_the_same_sentences_however_it_is_cut() -> None:
    text = "It opens at 7:30 [1]. Dr. Nowak has the key. [2] Ask her"
    stream = SentenceStream()
    whole = [sentence for letter in text for sentence in stream.feed(letter)] + [stream.rest()]
    assert whole == ["It opens at 7:30 [1].", "Dr. Nowak has the key. [2]", "Ask her"]


@given(st.text(alphabet="ab1 .!?\n[]", max_size=80), st.lists(st.integers(1, 7), min_size=1, max_size=80))
def test_a_stream_loses_no_character(text: str, sizes: list[int]) -> None:
    stream, given_back, position = SentenceStream(), [], 0
    for size in sizes * 80:
        if position >= len(text):
            break
        given_back += stream.feed(text[position : position + size])
        position += size
    given_back.append(stream.rest())
    assert "".join("".join(given_back).split()) == "".join(text.split())


@given(st.text(max_size=200))
def test_spans_hold_every_character_once_and_in_order(text: str) -> None:
    found = spans(text)
    assert all(one[1] <= other[0] for one, other in pairwise(found))
    assert "".join("".join(text[start:end] for start, end in found).split()) == "".join(text.split())
