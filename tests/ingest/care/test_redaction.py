"""Redacting documents: the newest revision stays, and nothing of what was before it is kept anywhere."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.house import SOURCE, House
from ingest.care.redaction import Redaction, plan_redaction, redact
from ragapp.access import scope
from ragapp.catalog.commits import Commits
from ragapp.catalog.rows import DocumentRow
from ragapp.errors import CatalogError
from ragapp.index.follow import follow
from ragapp.types import Principal

from ...holding import holding
from ...kept_answers import keep_answer

OLD, NEW = "The salary of Ostrander is 900 euro.\n", "The salary is not told here.\n"
WORD = b"Ostrander"


def plan(house: House, *names: object) -> Redaction:
    parts = house.parts
    return plan_redaction(parts.catalog, parts.files, [str(name) for name in names])


def redacted(house: House, *names: object) -> Redaction:
    parts = house.parts
    planned = plan(house, *names)
    redact(planned, parts.catalog, parts.index, parts.files)
    assert parts.index.clear_out()
    return planned


def the_one(house: House, ending: str) -> DocumentRow:
    (row,) = [row for row in house.parts.catalog.documents() if row.source.endswith(ending)]
    return row


def left(house: House, word: bytes = WORD) -> list[str]:
    """The files of the data folder that hold a word."""
    return holding(Path(house.parts.catalog.url.removeprefix("sqlite:///")).parent, word)


def change(house: House, path: Path, *texts: str) -> None:
    for text in texts:
        path.write_text(text)
        house.intake.sync(SOURCE)


def answer(house: House, answer_id: str) -> str:
    catalog = house.parts.catalog
    person = catalog.people.find(name="bob")
    assert person
    row = catalog.conversations.answer(answer_id, person.id)
    assert row
    return str(row.record)


def test_nothing_of_the_old_text_is_left_in_any_file(house: House, docs: Path) -> None:
    change(house, docs / "office.md", OLD)
    keep_answer(house.parts.catalog, "bob", the_one(house, "office.md"), OLD.strip())
    change(house, docs / "office.md", NEW)
    assert {name.split("/")[0] for name in left(house)} >= {"originals", "extracted", "index"}
    planned = redacted(house, docs / "office.md")
    assert (planned.revisions, planned.shared, planned.answers) == (1, 0, 1)
    assert planned.bytes == len(OLD)
    assert left(house) == []
    row = the_one(house, "office.md")
    assert "not told here" in house.search("salary")[0].text
    assert house.parts.files.original(row.sha256).read_text() == NEW
    assert house.parts.catalog.listing.revision(row.id, row.revision)
    assert house.parts.catalog.listing.revision(row.id, row.revision - 1) is None
    again = plan(house, docs / "office.md")
    assert (again.revisions, again.bytes, again.answers) == (0, 0, 0)


def test_answers_that_rest_on_the_newest_stay(house: House, docs: Path) -> None:
    change(house, docs / "office.md", OLD)
    catalog = house.parts.catalog
    before, talk = keep_answer(catalog, "bob", the_one(house, "office.md"), "900 euro")
    old = the_one(house, "office.md")
    change(house, docs / "office.md", NEW)
    now = the_one(house, "office.md")
    after, _ = keep_answer(catalog, "bob", now, "not told here")
    follow_up, _ = keep_answer(
        catalog, "bob", now, "not told", says="So it was 900 euro", conversation=talk, before=[old]
    )
    redacted(house, docs / "office.md")
    assert "not told here" in answer(house, after)
    assert "900 euro" not in answer(house, before) + answer(house, follow_up)
    assert "not told" in answer(house, follow_up), "a passage of the newest stays"


def test_bytes_that_another_document_has_or_that_came_back_stay_and_are_counted(house: House, docs: Path) -> None:
    (docs / "copy.md").write_text(OLD)
    change(house, docs / "office.md", OLD, NEW)
    planned = redacted(house, docs / "office.md")
    assert (planned.revisions, planned.bytes, planned.shared) == (1, 0, 1)
    assert house.parts.files.original(the_one(house, "copy.md").sha256).read_text() == OLD
    assert "Ostrander" in house.search("Ostrander")[0].text

    change(house, docs / "copy.md", NEW.replace("salary", "wage"), OLD)
    planned = redacted(house, docs / "copy.md")
    assert (planned.revisions, planned.shared) == (2, 1), "it says again what it said at first"
    assert left(house, b"wage is not told") == []
    assert house.parts.files.original(the_one(house, "copy.md").sha256).read_text() == OLD


def test_what_an_older_parser_made_of_the_same_bytes_goes(house: House, docs: Path) -> None:
    change(house, docs / "office.md", OLD)
    parts, row = house.parts, the_one(house, "office.md")
    text = parts.files.extracted(row.sha256, row.parser_version.split(".")[0])
    assert text
    parts.files.keep_extracted(row.sha256, "0", replace(text, text="hidden: Ostrander"))
    redacted(house, docs / "office.md")
    assert parts.files.extracted(row.sha256, "0") is None
    assert parts.files.extracted(row.sha256, row.parser_version.split(".")[0]) == text


def test_a_revision_that_is_on_its_way_loses_no_chunk(
    house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(house, docs / "office.md", OLD, NEW)
    real = Commits.commit_document

    def redacts_first(self: Commits, *given: object, **named: object) -> DocumentRow:
        monkeypatch.setattr(Commits, "commit_document", real)
        redacted(house, docs / "office.md")
        return real(self, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Commits, "commit_document", redacts_first)
    change(house, docs / "office.md", "The salary is a secret from May on.\n")
    row = the_one(house, "office.md")
    (chunk,) = house.parts.index.chunks(row.id, row.revision, [0], scope(Principal("bob")))
    assert "from May on" in chunk.payload["text"]
    assert house.parts.files.original(row.sha256).is_file()


def test_chunks_that_a_crash_left_of_it_go(house: House, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(house, docs / "office.md", OLD)
    with monkeypatch.context() as patch:
        patch.setattr(type(house.parts.index), "delete_document", lambda *_, **__: None)
        change(house, docs / "office.md", NEW)
    assert house.parts.index.count() == 2
    redacted(house, docs / "office.md")
    assert house.parts.index.count() == 1 and left(house) == []


def test_whoever_dies_after_the_commit_leaves_the_rest_to_the_next(house: House, docs: Path) -> None:
    change(house, docs / "office.md", OLD)
    kept, _ = keep_answer(house.parts.catalog, "bob", the_one(house, "office.md"), OLD.strip())
    change(house, docs / "office.md", NEW)
    parts, row = house.parts, the_one(house, "office.md")
    parts.catalog.removals.take_earlier_away([row.id])
    assert "Ostrander" not in answer(house, kept)
    assert parts.catalog.listing.revision(row.id, row.revision - 1) is None
    follow(parts.catalog, parts.index, parts.files)
    assert {name.split("/")[0] for name in left(house)} <= {"index"}


def test_a_member_goes_with_the_older_versions_of_its_archive(house: House, docs: Path) -> None:
    def pack(salary: str) -> None:
        with zipfile.ZipFile(docs / "notes.zip", "w") as archive:
            archive.writestr("salary.md", salary)
            archive.writestr("other.md", "Boilers are kept warm.")
        house.intake.sync(SOURCE)

    pack(OLD)
    pack(NEW)
    planned = redacted(house, the_one(house, "salary.md").id)
    assert {row.source.rpartition("/")[2] for row in planned.documents} == {"salary.md", "notes.zip"}
    assert left(house) == []
    assert house.search("boilers")


def test_a_name_that_nothing_has_is_refused(house: House, docs: Path) -> None:
    with pytest.raises(CatalogError, match="There is no document"):
        plan(house, docs / "nothing.md")
