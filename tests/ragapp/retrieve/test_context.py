"""Neighbours become one passage with an exact span; the same text is shown once, other figures are kept."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ragapp.retrieve.context import joined, windows, without_near_duplicates
from ragapp.types import Passage

TEXT = "Alpha one.\n\nBeta two.\nGamma three. Delta four."
CUTS = [(0, 10), (12, 21), (22, 34), (35, 46)]


def chunk(ordinal: int, document: str = "d") -> Passage:
    start, end = CUTS[ordinal]
    before = CUTS[ordinal - 1][1] if ordinal else start
    return Passage(
        document, 1, f"{document}.md", document, TEXT[start:end], start, end,
        headings=("H", str(ordinal)), pages=(ordinal // 2 + 1,), page_starts=(start,), ordinals=(ordinal,),
        gap=TEXT[before:start],
    )  # fmt: skip


def test_neighbours_are_joined_exactly() -> None:
    found = joined([chunk(2), chunk(1)])
    assert len(found) == 1
    assert found[0].text == TEXT[12:34]
    assert (found[0].start, found[0].end) == (12, 34)
    assert found[0].headings == ("H",)
    assert found[0].pages == (1, 2)
    assert found[0].page_at(13) == 1
    assert found[0].page_at(30) == 2


@given(st.permutations(range(4)).flatmap(lambda order: st.integers(1, 4).map(lambda size: order[:size])))
def test_joined_text_is_always_its_span(ordinals: list[int]) -> None:
    found = joined([chunk(ordinal) for ordinal in ordinals])
    assert all(passage.text == TEXT[passage.start : passage.end] for passage in found)
    assert sorted(o for passage in found for o in passage.ordinals) == sorted(ordinals)


@given(st.lists(st.integers(1, 50), max_size=12), st.integers(1, 100))
def test_windows_hold_every_passage_in_order_and_fit(sizes: list[int], room: int) -> None:
    passages = [passage(str(number), str(number)) for number in range(len(sizes))]
    cut = windows(passages, sizes, room)
    assert [p for window in cut for p in window] == passages
    for window in cut:
        total = sum(sizes[int(p.text)] for p in window)
        assert total <= room or len(window) == 1


def test_neighbours_with_hidden_text_between_them_stay_apart() -> None:
    first, second = chunk(0), replace(chunk(1), gap="")
    assert [p.text for p in joined([first, second])] == [first.text, second.text]


def test_neighbours_of_other_documents_stay_apart() -> None:
    assert len(joined([chunk(0, "a"), chunk(1, "b")])) == 2


def passage(text: str, document: str) -> Passage:
    return Passage(document, 1, document, document, text, 0, len(text), ordinals=(0,))


def test_the_same_words_are_shown_once() -> None:
    text = "Employees may claim hotel costs for nights away from home when the trip was approved before."
    kept = without_near_duplicates([passage(text, "a"), passage(text + " ", "b")])
    assert [p.document_id for p in kept] == ["a"]


def test_versions_that_differ_in_a_figure_are_both_kept() -> None:
    old = (
        "Employees may claim hotel costs of up to 100 EUR for nights away from home when the trip was approved before."
    )
    kept = without_near_duplicates([passage(old, "2023"), passage(old.replace("100", "130"), "2025")])
    assert [p.document_id for p in kept] == ["2023", "2025"]
