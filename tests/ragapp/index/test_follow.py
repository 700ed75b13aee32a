"""The index follows the catalog, whatever else happens to the documents meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from ragapp.access import scope
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.catalog.rows import DocumentRow
from ragapp.index.base import Point, SparseVector
from ragapp.index.edge import EdgeIndex, open_edge
from ragapp.index.follow import follow
from ragapp.index.schema import payload
from ragapp.types import Chunk, Principal, document_id

STAFF, HR, BOARD = frozenset({"staff"}), frozenset({"hr"}), frozenset({"board"})


@dataclass(frozen=True, slots=True)
class House:
    catalog: Catalog
    index: EdgeIndex
    files: DocumentFiles

    def follow(self) -> None:
        follow(self.catalog, self.index, self.files)

    def write(self, groups: frozenset[str]) -> DocumentRow:
        """A revision of one chunk, which stands in the index and is not live yet."""
        key = document_id("default", "a.md")
        row = DocumentRow(
            key, "default", "a.md", self.catalog.next_revision(key), "0" * 64, 1, "A", "md", 1, groups
        )  # fmt: skip
        self.index.upsert([point(row)])
        self.index.flush()
        return row

    def found_by(self, row: DocumentRow) -> frozenset[str]:
        """The groups that the live revision's chunk carries."""
        auditor = Principal("auditor", STAFF | HR | BOARD)
        (chunk,) = self.index.chunks(row.id, row.revision, [0], scope(auditor))
        return frozenset(chunk.payload["groups"])


def point(row: DocumentRow) -> Point:
    chunk = Chunk(row.id, row.revision, 0, "one", 0, 3)
    kept = payload(
        chunk, gap="", page_starts=(), source="a.md", title="A", collection="default", groups=row.groups,
        file_type="md", modified=None, dated=None,
    )  # fmt: skip
    return Point(chunk.point_id, np.asarray([1, 0, 0, 0], np.float32), SparseVector((0,), (1.0,)), kept)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(Catalog.open(tmp_path), open_edge(tmp_path, "f00", 4), DocumentFiles(tmp_path))
    yield house
    house.index.close()
    house.catalog.close()


@pytest.fixture
def after_the_index_was_told(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Has something happen once, right after the index was told a document's groups for the first time."""
    real = EdgeIndex.set_groups

    def arrange(act: Callable[[], object]) -> None:
        def tell_and_act(self: EdgeIndex, document_id: str, groups: frozenset[str]) -> None:
            monkeypatch.setattr(EdgeIndex, "set_groups", real)
            real(self, document_id, groups)
            act()

        monkeypatch.setattr(EdgeIndex, "set_groups", tell_and_act)

    return arrange


def test_a_revision_that_comes_in_while_the_index_follows_is_found_by_those_who_may_see_it(
    house: House, after_the_index_was_told: Callable[[Callable[[], object]], None]
) -> None:
    row = house.catalog.commit_document(house.write(STAFF))
    begun = replace(row, revision=house.catalog.next_revision(row.id))
    house.catalog.access.change({row.id: HR})

    def comes_in() -> None:
        house.index.upsert([point(begun)])
        house.catalog.commit_document(begun)

    after_the_index_was_told(comes_in)
    house.follow()
    assert house.found_by(begun) == HR
    assert not dict(house.catalog.access.due())


def test_a_change_that_another_follows_meanwhile_is_what_the_index_has_in_the_end(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = house.catalog.commit_document(house.write(STAFF))
    house.catalog.access.change({row.id: HR})
    real = EdgeIndex.set_groups

    def overtaken(self: EdgeIndex, document_id: str, groups: frozenset[str]) -> None:
        monkeypatch.setattr(EdgeIndex, "set_groups", real)
        house.catalog.access.change({row.id: BOARD})
        house.follow()
        real(self, document_id, groups)

    monkeypatch.setattr(EdgeIndex, "set_groups", overtaken)
    house.follow()
    assert house.found_by(row) == BOARD
    assert not dict(house.catalog.access.due())
