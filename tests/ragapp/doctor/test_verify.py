"""What --verify finds of damage made by hand, and that --repair mends it without losing anything."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.care.removal import plan_removal, remove
from ragapp import RagApp
from ragapp.access import Scope
from ragapp.catalog.rows import DocumentRow
from ragapp.doctor.repair import Repair, repair
from ragapp.doctor.verify import Findings, Kind, parsed_by, verify
from ragapp.errors import CatalogError
from ragapp.index.base import Point, SparseVector
from ragapp.index.vectorstore import RagVectorStore
from ragapp.types import Chunk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "office.md").write_text("# Office\n\nThe caretaker is Ida Nowak.\n\n# Hours\n\nIt opens at 7:30.\n")
    (folder / "travel.md").write_text("# Travel\n\nHotels in London cost up to 180 EUR.\n")
    return folder


@pytest.fixture
def app(fresh: RagApp, folder: Path) -> RagApp:
    fresh.ingest(folder, groups=["staff"])
    assert compared(fresh).whole
    return fresh


def compared(app: RagApp) -> Findings:
    return verify(app.catalog, app.index, app.files, app.settings.data / "scratch", lambda _: None)


def mended(app: RagApp) -> Repair:
    return repair(compared(app), app.catalog, app.index, app.files, app.intake.renew_stale, 1 << 24)


def kinds(app: RagApp) -> set[Kind]:
    return {found.kind for found in compared(app).differences}


def office(app: RagApp) -> DocumentRow:
    return next(row for row in app.catalog.documents() if row.source.endswith("office.md"))


def foreign(app: RagApp, document: str, revision: int, ordinal: int) -> Point:
    chunk = Chunk(document, revision, ordinal, "smuggled", 0, 8)
    payload = {"document_id": document, "revision": revision, "ordinal": ordinal, "groups": ["everyone"], "source": "x"}
    dense = np.zeros(app.index.dimensions, np.float32)
    dense[0] = 1
    return Point(chunk.point_id, dense, SparseVector((1,), (1.0,)), payload)


def test_lost_chunks_come_back_with_the_same_words_and_groups(app: RagApp) -> None:
    before = office(app)
    app.index.delete_document(before.id)
    assert kinds(app) == {"missing chunks"}
    mended(app)
    after = office(app)
    assert compared(app).whole
    assert (after.chunks, after.groups, after.sha256) == (before.chunks, before.groups, before.sha256)
    assert (after.title, after.file_type) == (before.title, before.file_type)
    assert after.revision > before.revision


@pytest.mark.parametrize(
    ("revision", "ordinal", "kind"), [(7, 0, "chunks of dead revisions"), (1, 99, "foreign chunks")]
)
def test_chunks_that_no_live_revision_has_go(app: RagApp, revision: int, ordinal: int, kind: Kind) -> None:
    row = office(app)
    app.index.upsert([foreign(app, row.id, revision, ordinal)])
    assert kinds(app) == {kind}
    mended(app)
    assert compared(app).whole
    assert office(app) == row


def test_chunks_of_a_document_that_nobody_knows_go(app: RagApp) -> None:
    app.index.upsert([foreign(app, "nobody", 1, 0)])
    assert kinds(app) == {"chunks of no document"}
    mended(app)
    assert compared(app).whole


def test_wrong_groups_become_the_catalogs_again(app: RagApp) -> None:
    app.index.set_groups(office(app).id, frozenset({"everyone"}))
    assert kinds(app) == {"wrong groups"}
    mended(app)
    assert compared(app).whole


def test_a_lost_original_is_copied_again_from_the_file(app: RagApp) -> None:
    app.files.original(office(app).sha256).unlink()
    assert kinds(app) == {"lost originals"}
    assert not mended(app).unmended
    assert compared(app).whole


def test_a_damaged_original_is_found_by_its_hash(app: RagApp) -> None:
    path = app.files.original(office(app).sha256)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert kinds(app) == {"damaged originals"}
    mended(app)
    assert compared(app).whole


def test_an_original_whose_file_is_gone_is_named_and_the_document_stays(app: RagApp, folder: Path) -> None:
    row = office(app)
    app.files.original(row.sha256).unlink()
    (folder / "office.md").unlink()
    app.index.delete_document(row.id)
    done = mended(app)
    assert any("put the file back" in left.reason for left in done.unmended)
    assert office(app) == row
    assert kinds(app) == {"lost originals", "missing chunks"}


@pytest.mark.parametrize("how", ["deleted", "truncated"])
def test_lost_or_damaged_text_is_made_again_from_the_original(app: RagApp, how: str) -> None:
    row = office(app)
    path = app.files.extracted_path(row.sha256, parsed_by(row))
    before = app.files.extracted(row.sha256, parsed_by(row))
    path.unlink() if how == "deleted" else path.write_bytes(path.read_bytes()[:40])
    assert kinds(app) == {"lost text" if how == "deleted" else "damaged text"}
    mended(app)
    assert compared(app).whole
    assert app.files.extracted(row.sha256, parsed_by(row)) == before
    assert office(app) == row


def test_what_nobody_needs_is_deleted(app: RagApp, tmp_path: Path) -> None:
    stray = tmp_path / "stray"
    stray.write_text("no document has these bytes")
    sha256 = app.files.keep_original(stray)
    text = app.files.extracted(office(app).sha256, parsed_by(office(app)))
    assert text
    app.files.keep_extracted(sha256, "1", text)
    (app.settings.data / "originals" / ".new-half").write_text("half")
    (app.settings.data / "scratch").mkdir(exist_ok=True)
    (app.settings.data / "scratch" / "left").mkdir()
    assert kinds(app) == {"originals of no document", "text of no document", "temporary files"}
    mended(app)
    assert compared(app).whole
    assert not app.files.original(sha256).exists()


def test_an_index_that_is_gone_as_a_whole_is_made_anew(app: RagApp) -> None:
    data, models = app.settings.data, app._models_dir
    before = {row.source: (row.chunks, row.groups) for row in app.catalog.documents()}
    app.close()
    shutil.rmtree(data / "index")
    with RagApp(app.settings, models_dir=models) as again:
        index = again.index_as_it_is()
        found = verify(again.catalog, index, again.files, data / "scratch", lambda _: None)
        repair(found, again.catalog, index, again.files, again.intake.renew_stale, 1 << 24)
        assert compared(again).whole
        assert {row.source: (row.chunks, row.groups) for row in again.catalog.documents()} == before


def test_nothing_is_mended_while_a_job_runs(app: RagApp) -> None:
    app.catalog.jobs.start("ingest", "ingest elsewhere")
    with pytest.raises(CatalogError, match="is running"):
        mended(app)


def test_the_bytes_of_an_older_version_stay_while_the_document_does_and_go_with_it(app: RagApp, folder: Path) -> None:
    """An answer that was given before may point into them."""
    old = app.files.original(office(app).sha256)
    (folder / "office.md").write_text("# Office\n\nThe caretaker is Jan Malik.\n")
    app.ingest(folder)
    assert compared(app).whole
    assert old.exists()
    remove(plan_removal(app.catalog, [str(folder / "office.md")]), app.catalog, app.index, app.files)
    assert compared(app).whole
    assert not old.exists()


class TestAddedTexts:
    """What a program added through the vector store."""

    @pytest.fixture
    def store(self, app: RagApp) -> RagVectorStore:
        return app.vectorstore()

    def test_nothing_differs_after_adding_changing_and_deleting(self, app: RagApp, store: RagVectorStore) -> None:
        store.add_texts(["The spare key is with Ida.", "The gate closes at ten."], ids=["key", "gate"])
        assert compared(app).whole
        store.add_texts(["The spare key is with Jan."], ids=["key"])
        assert compared(app).whole
        before = {each.path for each in app.files.kept()}
        store.delete(["key", "gate"])
        found = compared(app)
        assert found.whole
        assert (found.documents, len(before) - found.files) == (2, 6)

    def test_a_citation_of_one_can_be_shown(self, app: RagApp, store: RagVectorStore) -> None:
        store.add_texts(["The spare key is with Ida."], ids=["key"])
        cited = next(each for each in app.search("Who has the spare key?") if each.source == "key")
        store.add_texts(["The spare key is with Jan."], ids=["key"])
        made_of = app.catalog.listing.revision(cited.document_id, cited.revision)
        assert made_of
        extracted = app.files.extracted(made_of.sha256, made_of.parser_version.split(".")[0])
        assert extracted
        assert extracted.text[cited.start : cited.end] == cited.text == "The spare key is with Ida."

    @pytest.mark.parametrize("lost", [{"original"}, {"extracted"}, {"original", "extracted"}])
    def test_text_comes_back_from_whatever_has_it(self, app: RagApp, store: RagVectorStore, lost: set[str]) -> None:
        store.add_texts(["The spare key is with Ida."], [{"by": "desk"}], ids=["key"])
        row = next(row for row in app.catalog.documents() if row.source == "key")
        for each in list(app.files.kept()):
            if each.sha256 == row.sha256 and each.kind in lost:
                each.path.unlink()
        assert len(kinds(app)) == len(lost)
        assert not mended(app).unmended
        assert compared(app).whole
        assert app.catalog.document(row.id) == row
        assert store.get_by_ids(["key"])[0].metadata == {"by": "desk"}

    def test_what_was_added_before_texts_were_kept_is_kept_by_a_repair(
        self, app: RagApp, store: RagVectorStore
    ) -> None:
        store.add_texts(["The spare key is with Ida."], ids=["key"])
        row = next(row for row in app.catalog.documents() if row.source == "key")
        app.catalog.commit_document(replace(row, parser_version="", revision=app.catalog.next_revision(row.id)))
        app.index.upsert([moved(app, row)])
        app.index.delete_document(row.id, keep_revision=row.revision + 1)
        app.files.forget(row.sha256)
        assert kinds(app) == {"lost originals", "lost text"}
        assert not mended(app).unmended
        assert compared(app).whole

    def test_one_whose_chunk_is_gone_is_named_and_not_read_as_a_file(self, app: RagApp, store: RagVectorStore) -> None:
        store.add_texts(["The spare key is with Ida."], ids=["key"])
        row = next(row for row in app.catalog.documents() if row.source == "key")
        app.index.delete_document(row.id)
        (left,) = mended(app).unmended
        assert (left.name, row.id in left.reason) == ("key", True)
        assert app.catalog.document(row.id) == row
        store.add_texts(["The spare key is with Ida."], ids=["key"])
        assert compared(app).whole

    def test_renewing_what_is_stale_leaves_them_as_they_are(self, app: RagApp, store: RagVectorStore) -> None:
        store.add_texts(["The spare key is with Ida."], [{"by": "desk"}], ids=["key"])
        row = next(row for row in app.catalog.documents() if row.source == "key")
        assert not app.intake.is_stale(row)
        assert app.intake.stale() == 0
        app.intake.renew_stale()
        assert app.catalog.document(row.id) == row
        assert store.get_by_ids(["key"])[0].metadata == {"by": "desk"}


def moved(app: RagApp, row: DocumentRow) -> Point:
    """The chunk of an added text as one of the next revision."""
    (hit,) = app.index.chunks(row.id, row.revision, [0], Scope(row.groups))
    dense = app.index.vectors([hit.payload["text_hash"]])[hit.payload["text_hash"]]
    chunk = Chunk(row.id, row.revision + 1, 0, hit.payload["text"], 0, len(hit.payload["text"]))
    return Point(chunk.point_id, dense, SparseVector((1,), (1.0,)), {**hit.payload, "revision": chunk.revision})


def test_what_others_could_get_into_is_closed_to_them(app: RagApp) -> None:
    data = app.settings.data
    (data / "catalog.db").chmod(0o666)
    (data / "index").chmod(0o755)
    assert {str(each.path) for each in compared(app).of("open to others")} == {
        str(data / "catalog.db"),
        str(data / "index"),
    }
    done = mended(app)
    assert compared(app).whole and not done.unmended
    assert (data / "catalog.db").stat().st_mode & 0o777 == 0o600
    assert (data / "index").stat().st_mode & 0o777 == 0o700
