"""What the index must know of a chunk beside its text, found without going through the whole document for each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ingest.pipeline.reading import ReadOrder, _extracted, _page_starts
from ingest.unpack.opened import ContainerLimits
from ragapp.catalog.files import DocumentFiles
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


def test_equal_bytes_in_another_name_get_nothing_of_the_first_one(tmp_path: Path) -> None:
    """Else whoever sends a guess would read in its title and date what somebody else's file is called."""
    files = DocumentFiles(tmp_path / "data")
    (tmp_path / "memo.txt").write_text("The canteen opens at noon on weekdays.\n")
    sha256 = files.keep_original(tmp_path / "memo.txt")

    def read(name: str, kept: DocumentFiles = files) -> tuple[str, datetime | None]:
        order = ReadOrder(
            sha256, name, kept, tmp_path, 200, 1 << 20, tmp_path, tmp_path / "pieces", ContainerLimits(), 0, ""
        )
        extracted, _ = _extracted(files.original(sha256), order)
        return extracted.title, extracted.dated

    alone = {}
    for number, name in enumerate(("Minutes 4 March 2021.txt", "memo.txt", "Memo 5 May 2022.txt")):
        alone[name] = read(name, DocumentFiles(tmp_path / str(number)))
    assert [title for title, _ in alone.values()] == ["Minutes 4 March 2021", "memo", "Memo 5 May 2022"]
    assert len({dated for _, dated in alone.values()}) == 3
    assert {name: read(name) for name in (*alone, *alone)} == alone
