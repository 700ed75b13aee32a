"""Removing documents while a run takes files in: what was removed stays away, and nobody else loses anything."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.house import House
from ingest.care.removal import plan_removal, remove
from ragapp.catalog.catalog import Catalog
from ragapp.index.follow import follow
from ragapp.types import document_id


def ingest(house: House, docs: Path) -> Any:
    return house.intake.ingest([docs], "default", None)


def taken_away(house: House, what: Path) -> int:
    parts = house.parts
    return remove(plan_removal(parts.catalog, [str(what)]), parts.catalog, parts.index, parts.files)


def before_the_commit(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Something happens once, when the first document of the run is about to be committed."""
    real = Catalog.commit_document

    def act_first(self: Catalog, *given: Any, **named: Any) -> Any:
        monkeypatch.setattr(Catalog, "commit_document", real)
        act()
        return real(self, *given, **named)

    monkeypatch.setattr(Catalog, "commit_document", act_first)


def sources(house: House) -> set[str]:
    return {Path(row.source).name for row in house.parts.catalog.documents()}


def left_over(house: House) -> tuple[int, list[str]]:
    """Chunks and bytes that belong to no live document."""
    parts = house.parts
    chunks = parts.index.count() - parts.catalog.totals().chunks
    return chunks, [kept.sha256 for kept in parts.files.kept() if not parts.catalog.uses(kept.sha256)]


def test_a_document_that_is_removed_while_its_file_is_read_again_stays_away(
    house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(house, docs)
    (docs / "office.md").write_text("The office opens at 8:45.\n")
    before_the_commit(monkeypatch, lambda: taken_away(house, docs / "office.md"))
    report = ingest(house, docs)
    assert (report.removed, report.changed, report.added, report.failed) == (1, 0, 0, ())
    assert sources(house) == set() and not house.search("When does the office open?")
    assert left_over(house) == (0, [])


def test_the_run_goes_on_and_the_next_one_may_bring_the_file_in_again(
    house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(house, docs)
    (docs / "office.md").write_text("The office opens at 8:45.\n")
    (docs / "travel.md").write_text("Hotels cost up to 180 EUR.\n")
    before_the_commit(monkeypatch, lambda: taken_away(house, docs / "office.md"))
    assert ingest(house, docs).added == 1
    assert sources(house) == {"travel.md"}
    assert ingest(house, docs).added == 1
    assert sources(house) == {"travel.md", "office.md"} and house.search("8:45")


def test_what_lies_in_an_archive_that_is_removed_meanwhile_stays_away_too(
    house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pack(*names: str) -> None:
        with zipfile.ZipFile(docs / "notes.zip", "w") as archive:
            for name in names:
                archive.writestr(name, f"The note {name} is about boilers.")

    pack("old.md")
    ingest(house, docs)
    pack("new.md", "newer.md", "old.md")
    before_the_commit(monkeypatch, lambda: taken_away(house, docs / "notes.zip"))
    ingest(house, docs)
    assert sources(house) == {"office.md"} and not any("boilers" in p.text for p in house.search("boilers"))
    assert left_over(house) == (0, [])


def test_bytes_stay_that_a_document_on_its_way_has_in_common_with_a_removed_one(
    house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(house, docs)
    (docs / "copy.md").write_bytes((docs / "office.md").read_bytes())
    before_the_commit(monkeypatch, lambda: taken_away(house, docs / "office.md"))
    assert ingest(house, docs).added == 1
    (row,) = house.parts.catalog.documents()
    assert house.parts.files.original(row.sha256).is_file()
    assert taken_away(house, docs / "copy.md") == 1, "and they go with the last that has them"
    assert left_over(house) == (0, [])


def test_chunks_of_a_run_that_began_after_the_removal_are_not_collected_with_the_old_ones(
    house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Collecting many removed documents takes its time; one of them may be on its way again."""
    ingest(house, docs)
    parts = house.parts
    parts.catalog.removals.take_away([document_id("default", str(docs / "office.md"))])
    before_the_commit(monkeypatch, lambda: follow(parts.catalog, parts.index, parts.files))
    assert ingest(house, docs).added == 1
    assert any("7:30" in passage.text for passage in house.search("When does the office open?"))
    assert left_over(house) == (0, [])


def test_nothing_is_held_after_a_run_that_broke_off(house: House, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies() -> None:
        raise KeyboardInterrupt

    before_the_commit(monkeypatch, dies)
    with pytest.raises(KeyboardInterrupt):
        ingest(house, docs)
    (kept,) = [kept for kept in house.parts.files.kept() if kept.kind == "original"]
    house.parts.files.forget(kept.sha256)
    assert not kept.path.exists()
