"""Who may see what is changed while a run takes files in, or before one that was asked earlier goes on."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.house import SOURCE, House
from ingest.care.access import Access
from ingest.fence.fence import Fence
from ragapp.access import scope
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.jobs import Jobs
from ragapp.errors import Unreadable
from ragapp.index.follow import follow
from ragapp.types import EVERYONE, Principal

ALL, STAFF, HR = frozenset({EVERYONE}), frozenset({"staff"}), frozenset({"hr"})


@pytest.fixture
def show(house: House) -> Callable[..., object]:
    """Shows a source, what a path means within it, or a document to groups."""
    parts = house.parts
    access = Access(parts.catalog, lambda: follow(parts.catalog, parts.index, parts.files))
    return lambda what, groups, path="": access.set(str(what), groups, path=path, new_group=True)


def just_before(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, act: Callable[[], object], *, nth: int = 1
) -> None:
    """Something happens once, when a step of the run is about to be done for the nth time."""
    real, left = getattr(owner, name), [nth]

    def act_first(*given: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            act()
        return real(*given, **named)

    monkeypatch.setattr(owner, name, act_first)


def pack(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, f"The note {name} is about boilers.")


def shown(house: House) -> dict[str, frozenset[str]]:
    """Who may see which document; the index agrees."""
    parts = house.parts
    found = {}
    for row in parts.catalog.documents(state="live"):
        auditor = scope(Principal("auditor", frozenset({*row.groups})))
        chunks = parts.index.chunks(row.id, row.revision, range(row.chunks), auditor)
        assert [frozenset(hit.payload["groups"]) for hit in chunks] == [row.groups] * row.chunks, row.source
        found[row.source.rpartition("docs/")[2]] = row.groups
    assert not list(parts.catalog.access.due())
    return found


class TestASyncThatIsAtWork:
    def test_shows_what_is_new_or_changed_to_whom_the_source_is_shown_by_then(
        self, house: House, docs: Path, show: Callable[..., object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.intake.sync(SOURCE)
        (docs / "office.md").write_text("The office opens at 8:45.\n")
        (docs / "travel.md").write_text("Hotels cost up to 180 EUR.\n")
        just_before(monkeypatch, Catalog, "next_revision", lambda: show(SOURCE, HR))
        report = house.intake.sync(SOURCE)
        assert (report.added, report.changed) == (1, 1)
        assert shown(house) == {"office.md": HR, "travel.md": HR}

    def test_goes_by_the_rules_as_they_are_at_the_commit(
        self, house: House, docs: Path, show: Callable[..., object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (docs / "hr").mkdir()
        (docs / "hr" / "pay.md").write_text("Pay day is the 25th.\n")
        just_before(monkeypatch, Catalog, "commit_document", lambda: show(SOURCE, HR, "hr/"))
        house.intake.sync(SOURCE)
        assert shown(house) == {"office.md": ALL, "hr/pay.md": HR}

    def test_leaves_what_is_unchanged_as_it_was_changed_before_it_was_planned(
        self, house: House, show: Callable[..., object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.intake.sync(SOURCE)
        just_before(monkeypatch, Jobs, "forget", lambda: show(SOURCE, HR))
        assert house.intake.sync(SOURCE).unchanged == 1
        assert shown(house) == {"office.md": HR}

    def test_shows_what_lies_in_a_new_archive_to_whom_the_archive_is_shown_in_the_end(
        self, house: House, docs: Path, show: Callable[..., object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.intake.sync(SOURCE)
        pack(docs / "box.zip", "a.md", "b.md")
        # the first member is in, and nothing says yet that its archive is of the source
        just_before(monkeypatch, Catalog, "commit_document", lambda: show(SOURCE, HR), nth=2)
        house.intake.sync(SOURCE)
        assert shown(house) == dict.fromkeys(("office.md", "box.zip", "box.zip!/a.md", "box.zip!/b.md"), HR)


def test_a_job_that_is_tried_again_goes_by_the_source_as_it_is_by_then(
    house: House, show: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise Unreadable("is of no kind that is known")

    show(SOURCE, STAFF, "*.md")
    with monkeypatch.context() as patch:
        just_before(patch, Fence, "call_sized", fails)
        report = house.intake.sync(SOURCE)
    assert len(report.failed) == 1
    show(SOURCE, HR, "*.md")
    house.intake.retry(report.job, failed=True)
    assert shown(house) == {"office.md": HR}


def test_a_new_member_of_a_known_archive_follows_the_archive(
    house: House, docs: Path, show: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    box = docs / "box.zip"
    pack(box, "a.md")
    house.intake.ingest([box], "default", None)
    pack(box, "a.md", "b.md")
    seen_between: list[dict[str, frozenset[str]]] = []

    def look() -> None:
        seen_between.append({row.source[-4:]: row.groups for row in house.parts.catalog.documents(state="live")})

    just_before(monkeypatch, Catalog, "commit_document", lambda: show(box, HR), nth=1)
    just_before(monkeypatch, Catalog, "commit_document", look, nth=2)
    house.intake.ingest([box], "default", None)
    assert seen_between == [{".zip": HR, "a.md": HR, "b.md": HR}], "before the archive itself is in too"
    assert shown(house) == dict.fromkeys(("box.zip", "box.zip!/a.md", "box.zip!/b.md"), HR)


def test_a_member_that_was_left_with_other_groups_is_brought_in_line_with_its_archive(house: House, docs: Path) -> None:
    box = docs / "box.zip"
    pack(box, "a.md")
    house.intake.ingest([box], "default", HR)
    catalog = house.parts.catalog
    (member,) = catalog.documents(container=catalog.documents(origin="")[0].id)
    catalog.access.change({member.id: ALL})
    box.touch()
    house.intake.ingest([box], "default", None)
    assert shown(house) == {"box.zip": HR, "box.zip!/a.md": HR}


class TestAJobThatIsTakenUpAgain:
    @pytest.fixture
    def broken_off(self, house: House, docs: Path, monkeypatch: pytest.MonkeyPatch) -> int:
        """A job for the staff that took in the first of two files."""

        def dies() -> None:
            raise KeyboardInterrupt

        (docs / "travel.md").write_text("Hotels cost up to 180 EUR.\n")
        with monkeypatch.context() as patch:
            just_before(patch, Catalog, "commit_document", dies, nth=2)
            with pytest.raises(KeyboardInterrupt):
                house.intake.ingest([docs], "default", STAFF)
        return house.parts.catalog.jobs.list()[0].id

    def known(self, house: House) -> str:
        (row,) = house.parts.catalog.documents(state="live")
        return row.source

    def test_keeps_what_was_changed_by_hand_since(
        self, house: House, broken_off: int, show: Callable[..., object]
    ) -> None:
        changed = self.known(house)
        show(changed, HR)
        house.intake.resume(broken_off)
        assert sorted(map(sorted, shown(house).values())) == [["hr"], ["staff"]]
        assert shown(house)[Path(changed).name] == HR

    def test_keeps_it_also_of_a_file_that_it_reads_anew(
        self, house: House, broken_off: int, show: Callable[..., object]
    ) -> None:
        changed = self.known(house)
        show(changed, HR)
        Path(changed).write_text("Written since, about boilers.\n")
        house.intake.resume(broken_off)
        assert shown(house)[Path(changed).name] == HR

    def test_what_is_asked_for_anew_shows_what_was_changed_by_hand_before_to_no_more(
        self, house: House, docs: Path, broken_off: int, show: Callable[..., object]
    ) -> None:
        changed = self.known(house)
        show(changed, HR)
        report = house.intake.ingest([docs], "default", ALL)
        assert report.kept == (changed,)
        assert shown(house) == {"office.md": ALL, "travel.md": ALL} | {Path(changed).name: HR}


class TestAFileThatFailed:
    def test_comes_in_for_those_it_was_shown_to_meanwhile(
        self, house: House, docs: Path, show: Callable[..., object]
    ) -> None:
        (docs / "late.md").write_bytes(b"")
        (docs / "other.md").write_bytes(b"")
        house.intake.ingest([docs], "default", None)
        show(docs / "late.md", HR)
        for name in ("late.md", "other.md"):
            (docs / name).write_text("The workshop moves in May.\n")
        house.intake.ingest([docs], "default", None)
        assert shown(house) == {"office.md": ALL, "late.md": HR, "other.md": ALL}

    def test_comes_in_for_whom_the_run_is_asked_for_where_nobody_chose(self, house: House, docs: Path) -> None:
        (docs / "late.md").write_bytes(b"")
        house.intake.ingest([docs], "default", None)
        (docs / "late.md").write_text("The workshop moves in May.\n")
        house.intake.ingest([docs / "late.md"], "default", STAFF)
        assert shown(house)["late.md"] == STAFF


def test_a_document_of_a_source_stays_one_when_its_file_is_ingested_by_hand(house: House, docs: Path) -> None:
    catalog, office = house.parts.catalog, docs / "office.md"
    house.intake.sync(SOURCE)
    for text, failed in (("", 1), ("The office opens at 8:45.\n", 0)):
        office.write_text(text)
        assert len(house.intake.ingest([office], "default", None).failed) == failed
        (row,) = catalog.documents()
        assert (row.state, row.origin) == ("live", SOURCE)
