"""Whatever takes a document away takes along what answers kept of it, in the same commit and whoever dies after it."""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.house import SOURCE, House
from ingest.care.removal import plan_removal, remove
from ragapp.catalog.catalog import FILE_NAME, Catalog
from ragapp.catalog.mentions import WITHHELD
from ragapp.catalog.removals import Removals
from ragapp.catalog.rows import DocumentRow
from ragapp.index.follow import follow
from ragapp.index.vectorstore import Placement, RagVectorStore, StoreParts
from ragapp.types import Principal

from ...kept_answers import keep_answer

WORDS = "opens at 7:30"


def the_one(house: House, ending: str) -> DocumentRow:
    (row,) = [row for row in house.parts.catalog.documents() if row.source.endswith(ending)]
    return row


def kept(house: House, answer: str) -> str:
    """The answer as the catalog gives it out."""
    catalog = house.parts.catalog
    person = catalog.people.find(name="bob")
    assert person
    row = catalog.conversations.answer(answer, person.id)
    assert row
    return str(row.record)


def on_disk(house: House) -> str:
    """All that is kept of answers, as it lies in the catalog's file."""
    with sqlite3.connect(house.parts.catalog.url.removeprefix("sqlite:///")) as database:
        return str(database.execute("SELECT record FROM answers").fetchall())


def sync(house: House, docs: Path) -> None:
    house.intake.sync(SOURCE)


def by_remove(house: House, docs: Path) -> None:
    parts = house.parts
    remove(plan_removal(parts.catalog, [str(docs / "office.md")]), parts.catalog, parts.index, parts.files)


def by_the_source_that_has_it_no_more(house: House, docs: Path) -> None:
    (docs / "office.md").unlink()
    (docs / "other.md").write_text("Something else is here.\n")
    house.intake.sync(SOURCE, remove_gone=True)


def by_moving(house: House, docs: Path) -> None:
    (docs / "office.md").rename(docs / "bureau.md")
    house.intake.sync(SOURCE)


@pytest.mark.parametrize("act", [by_remove, by_the_source_that_has_it_no_more, by_moving])
def test_a_file(house: House, docs: Path, act: Callable[[House, Path], None]) -> None:
    house.intake.sync(SOURCE)
    row = the_one(house, "office.md")
    answer, _ = keep_answer(house.parts.catalog, "bob", row, WORDS)
    act(house, docs)
    assert house.parts.catalog.document(row.id) is None
    assert WORDS not in kept(house, answer) and WITHHELD in kept(house, answer)
    assert WORDS not in on_disk(house)
    (docs / "office.md").write_text("A new file of the name.\n")
    house.intake.sync(SOURCE)
    assert the_one(house, "office.md").id == row.id
    assert WORDS not in kept(house, answer)


def test_what_lay_in_an_archive(house: House, docs: Path) -> None:
    def pack(*names: str) -> None:
        with zipfile.ZipFile(docs / "notes.zip", "w") as archive:
            for name in names:
                archive.writestr(name, f"The note {name} is about boilers.")

    pack("old.md", "new.md")
    house.intake.sync(SOURCE)
    answer, _ = keep_answer(house.parts.catalog, "bob", the_one(house, "old.md"), "about boilers")
    pack("new.md")
    house.intake.sync(SOURCE)
    assert "boilers" not in kept(house, answer) + on_disk(house)


def test_a_text_that_a_program_added(house: House) -> None:
    parts = house.parts
    store = RagVectorStore(
        StoreParts(parts.index, parts.catalog, parts.files, parts.dense, parts.bm25), Principal("bob"), Placement()
    )
    store.add_texts(["The kiln is lit at dawn."], ids=["kiln"])
    answer, _ = keep_answer(parts.catalog, "bob", the_one(house, "kiln"), "lit at dawn")
    store.delete(["kiln"])
    assert "dawn" not in kept(house, answer) + on_disk(house)


def test_the_next_turns_of_the_conversation_rest_on_it_too(house: House, docs: Path) -> None:
    """What a service notes of a follow-up names what the turns before it brought."""
    (docs / "travel.md").write_text("Trains are booked in second class.\n")
    house.intake.sync(SOURCE)
    catalog = house.parts.catalog
    office, travel = the_one(house, "office.md"), the_one(house, "travel.md")
    _, talk = keep_answer(catalog, "bob", office, WORDS)
    follow_up, _ = keep_answer(
        catalog, "bob", travel, "second class", says="At 7:30, by train", conversation=talk, before=[office]
    )
    aside, _ = keep_answer(catalog, "bob", travel, "second class")
    by_remove(house, docs)
    assert "7:30" not in kept(house, follow_up) + on_disk(house)
    assert "second class" in kept(house, aside), "what rests on other documents stays"


def test_a_new_revision_leaves_what_answers_kept(house: House, docs: Path) -> None:
    house.intake.sync(SOURCE)
    answer, _ = keep_answer(house.parts.catalog, "bob", the_one(house, "office.md"), WORDS)
    (docs / "office.md").write_text("The office opens at 8:45.\n")
    house.intake.sync(SOURCE)
    assert WORDS in kept(house, answer)


def test_whoever_dies_after_the_commit_shows_nothing_and_the_next_erases_the_rest(house: House, docs: Path) -> None:
    house.intake.sync(SOURCE)
    row, catalog = the_one(house, "office.md"), house.parts.catalog
    answer, _ = keep_answer(catalog, "bob", row, WORDS)
    catalog.removals.take_away([row.id])
    assert WORDS in on_disk(house)
    assert WORDS not in kept(house, answer) and WITHHELD in kept(house, answer)
    assert WORDS not in str(catalog.conversations.all_answers(catalog.people.list()[0].id))
    follow(catalog, house.parts.index, house.parts.files)
    assert WORDS not in on_disk(house) and catalog.mentions.count() == 0


def test_an_answer_that_dies_half_way_through_the_erasing_is_erased_by_the_next(
    house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.intake.sync(SOURCE)
    row, catalog = the_one(house, "office.md"), house.parts.catalog
    answers = [keep_answer(catalog, "bob", row, f"{WORDS} {number}")[0] for number in range(3)]
    monkeypatch.setattr("ragapp.catalog.mentions._PAGE", 1)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Removals, "due", dies)
    with pytest.raises(KeyboardInterrupt):
        by_remove(house, docs)
    monkeypatch.undo()
    assert all(WORDS not in kept(house, answer) for answer in answers)
    follow(catalog, house.parts.index, house.parts.files)
    assert WORDS not in on_disk(house)


def test_answers_of_a_catalog_from_before_are_looked_through(tmp_path: Path) -> None:
    """What they tell of documents is noted, and what they kept of removed ones is erased."""
    from ragapp.catalog.migrate import MIGRATIONS

    from ...ragapp.catalog.conftest import row as row_of

    catalog = Catalog.open(tmp_path)
    live = catalog.commit_document(row_of("a.md", catalog.next_revision(row_of("a.md").id)))
    gone = catalog.commit_document(row_of("b.md", catalog.next_revision(row_of("b.md").id)))
    stays, talk = keep_answer(catalog, "bob", live, "alpha")
    goes, _ = keep_answer(catalog, "bob", gone, "beta", conversation=talk)
    after, _ = keep_answer(catalog, "bob", live, "gamma", says="beta, so gamma", conversation=talk)
    catalog.close()
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.execute("DELETE FROM documents WHERE id = ?", (gone.id,))
        database.execute("DELETE FROM document_revisions WHERE document_id = ?", (gone.id,))
        for made in ("answer_mentions", "standings"):  # by 0007, and by 0008 after it
            database.execute(f"DROP TABLE {made}")
        before = MIGRATIONS.versions[MIGRATIONS.versions.index("0007") - 1]
        database.execute("UPDATE alembic_version SET version_num = ?", (before,))
    again = Catalog.open(tmp_path)
    person = again.people.find(name="bob")
    assert person
    told = {answer.id: str(answer.record) for answer in again.conversations.all_answers(person.id)}
    assert "alpha" in told[stays]
    assert "beta" not in told[goes] + told[after]
    assert again.mentions.was_shown(person.id, live.id, live.revision)
    assert again.mentions.erase() == 2
    again.close()
