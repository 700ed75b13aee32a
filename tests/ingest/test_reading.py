"""What the index must know of a chunk beside its text, found without going through the whole document for each."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.reading import _page_starts
from ragapp.types import Chunk, Element, Extracted


class OnlyByNumber(tuple[Element, ...]):
    """Elements that nobody goes through from the first one on: with the chunks of a large file that is quadratic."""

    def __iter__(self) -> Iterator[Element]:
        raise AssertionError("all elements were gone through for one chunk")


def test_the_pages_of_a_chunk_begin_at_its_own_elements() -> None:
    words = [f"word{number}" for number in range(6)]
    text = " ".join(words)
    elements = OnlyByNumber(
        Element("text", at := text.index(word), at + len(word), page=1 + number // 2)
        for number, word in enumerate(words)
    )
    start, end = text.index("word1"), text.index("word5") - 1
    piece = Chunk("d", 1, 0, text[start:end], start, end, (), (1, 2, 3), ())
    starts = _page_starts(Extracted(text, elements, "Words"), piece)
    assert [text[at : at + 5] for at in starts] == ["word1", "word2", "word4"]
