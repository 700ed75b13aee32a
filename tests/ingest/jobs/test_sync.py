"""A job that breaks off, is stopped, or tries again: what it leaves, what it takes up, and what it never touches."""

from __future__ import annotations

import os
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from benchmarks.house import SOURCE, House, opened
from ingest.jobs import sync
from ingest.origins.filesystem import FileSystem
from ingest.origins.remote import Remote
from ingest.origins.uploads import stage
from ingest.pipeline.report import IngestReport, Outcome
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.files import DocumentFiles
from ragapp.catalog.rows import JobFile, OriginRow
from ragapp.index.edge import EdgeIndex
from ragapp.settings import IngestSettings
from ragapp.types import EVERYONE

BROKEN = b"\x00\x01"


class Crashed(BaseException):
    """The process dies here."""


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


@pytest.fixture
def house(tmp_path: Path, docs: Path) -> Iterator[House]:
    with opened(tmp_path / "data", docs, IngestSettings(workers=1)) as house:
        yield house


@pytest.fixture
def store() -> Iterator[Any]:
    """A store that is not this machine's disk."""
    import fsspec

    memory = fsspec.filesystem("memory")
    yield memory
    memory.rm("/share", recursive=True)


def packed(**members: str | bytes) -> bytes:
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return sink.getvalue()


def sources(house: House) -> set[str]:
    return {Path(row.source).name for row in house.parts.catalog.documents(state="live")}


def found(house: House, words: str) -> bool:
    return any(words in passage.text for passage in house.search(words))


def sent(house: House, once: bool = False, **files: bytes) -> int:
    """The id of a job that took in what was sent under these names."""
    room = house.parts.files.scratch.parent / "uploads"
    uploads = stage(room, [(name.replace("__", "/").replace("_", "."), BytesIO(body)) for name, body in files.items()])
    job = house.intake.note_uploads(uploads, "default", frozenset({"board"}), once=once)
    house.intake.do(job)
    return job


def reasons(report: IngestReport) -> dict[str, str]:
    return {failure.source: failure.reason for failure in report.failed}


def failed(house: House, job: int) -> dict[str, JobFile]:
    return {file.source: file for file in house.parts.catalog.jobs.files(job, states=("failed",))}


class TestTryingAgain:
    def test_a_name_that_somebody_chose_is_never_opened_on_this_machine(
        self, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "srv").mkdir()
        (tmp_path / "srv" / "notes.zip").write_bytes(packed(hr_md="The salaries are secret."))
        job = sent(house, srv__notes_zip=packed(a_md="The crane is green.", b_pdf=BROKEN))
        again = house.intake.retry(job, failed=True)
        assert list(reasons(again)) == ["srv/notes.zip!/b.pdf"]
        assert sources(house) == {"notes.zip", "a.md"}

    def test_nor_where_an_earlier_version_noted_it_as_a_place(
        self, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "notes.md").write_text("The salaries are secret.")
        job = sent(house, notes_md=b"")
        house.parts.catalog.jobs.plan(
            job, [JobFile("notes.md", "changed", b"notes.md", state="failed", outcome="failed", reason="x")]
        )
        assert "send it again" in reasons(house.intake.retry(job, failed=True))["notes.md"]
        assert sources(house) == set()

    def test_what_lies_in_an_archive_of_a_store_is_had_through_the_archive(self, house: House, store: Any) -> None:
        store.pipe_file("/share/a.zip", packed(a_md="The crane is green.", b_pdf=BROKEN))
        house.intake.add(OriginRow("store", "memory://share", groups=frozenset({EVERYONE})))
        first = house.intake.sync("store")
        again = house.intake.retry(first.job, failed=True)
        assert list(reasons(first)) == ["memory://share/a.zip!/b.pdf"]
        assert reasons(again) == reasons(first)

    def test_an_upload_that_failed_is_kept_for_another_try_and_what_came_in_is_not(self, house: House) -> None:
        job = sent(house, a_md=b"The crane is green.", b_pdf=BROKEN)
        before = failed(house, job)["b.pdf"].reason
        assert reasons(house.intake.retry(job, failed=True)) == {"b.pdf": before}
        (room,) = (house.parts.files.scratch.parent / "uploads").iterdir()
        assert [path.read_bytes() for path in room.iterdir()] == [BROKEN]

    def test_an_upload_that_holds_what_failed_is_kept_too(self, house: House) -> None:
        job = sent(house, a_zip=packed(a_md="The crane is green.", b_pdf=BROKEN))
        (file,) = failed(house, job).values()
        outer = house.parts.catalog.jobs.file(job, "a.zip")
        assert file.source == "a.zip!/b.pdf" and outer and Path(outer.locator.decode()).is_file()

    def test_of_what_is_sent_for_one_try_nothing_is_kept(self, house: House) -> None:
        job = sent(house, once=True, b_pdf=BROKEN)
        assert not list((house.parts.files.scratch.parent / "uploads").iterdir())
        assert "send it again" in reasons(house.intake.retry(job, failed=True))["b.pdf"]

    def test_an_archive_that_was_sent_long_ago_is_read_from_its_original_and_shown_to_nobody_else(
        self, house: House
    ) -> None:
        job = sent(house, a_zip=packed(a_md="The crane is green.", b_pdf=BROKEN))
        shutil.rmtree(house.parts.files.scratch.parent / "uploads")
        before = failed(house, job)["a.zip!/b.pdf"].reason
        row = house.parts.catalog.by_source("default", "a.zip")
        assert row
        house.parts.catalog.access.change({row.id: frozenset({"hr"})})
        assert reasons(house.intake.retry(job, failed=True)) == {"a.zip!/b.pdf": before}
        after = house.parts.catalog.by_source("default", "a.zip")
        assert after and (after.revision, after.groups, after.file_type) == (2, {"hr"}, "zip")


class TestWhatAnArchiveLost:
    """It goes with the archive's own commit, whenever the process dies."""

    @pytest.fixture
    def box(self, house: House, docs: Path) -> Path:
        box = docs / "box.zip"
        box.write_bytes(packed(old_md="The heron sleeps.", both_md="The crane is green."))
        house.intake.sync(SOURCE)
        return box

    def test_right_after_the_commit_of_a_changed_archive(
        self, house: House, box: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        box.write_bytes(packed(both_md="The crane is green.", new_md="The ember glows."))
        dies_with(monkeypatch, "box.zip", after=True)
        with pytest.raises(Crashed):
            house.intake.sync(SOURCE)
        monkeypatch.undo()
        house.intake.sync(SOURCE)
        assert sources(house) == {"box.zip", "both.md", "new.md"} and not found(house, "heron")

    def test_right_after_the_commit_of_a_moved_archive(
        self, house: House, box: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        box.rename(box.with_name("moved.zip"))
        dies_with(monkeypatch, "moved.zip", after=True)
        with pytest.raises(Crashed):
            house.intake.sync(SOURCE)
        monkeypatch.undo()
        house.intake.sync(SOURCE)
        assert {row.source.partition("!/")[0] for row in house.parts.catalog.documents()} == {
            str(box.with_name("moved.zip"))
        }

    def test_what_came_out_of_a_new_archive_that_never_came_in_goes_with_its_file(
        self, house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (docs / "stays.md").write_text("The fjord is deep.")
        (docs / "box.zip").write_bytes(packed(old_md="The heron sleeps."))
        dies_with(monkeypatch, "box.zip", after=False)
        with pytest.raises(Crashed):
            house.intake.sync(SOURCE)
        monkeypatch.undo()
        assert "old.md" in sources(house)
        (docs / "box.zip").unlink()
        assert house.intake.sync(SOURCE).removed == 1
        assert sources(house) == {"stays.md"} and not found(house, "heron")

    def test_a_stop_before_the_commit_of_a_moved_archive_takes_nothing_away(self, house: House, box: Path) -> None:
        box.rename(box.with_name("moved.zip"))
        stop = threading.Event()
        watcher = Reading(lambda source: source.endswith("moved.zip") and stop.set())
        job = house.intake.note_sync(SOURCE)
        house.intake.do(job, watcher, stop=stop.is_set)
        assert found(house, "heron") and "old.md" in sources(house)
        house.intake.do(job, resumed=True)
        assert {row.source.partition("!/")[0] for row in house.parts.catalog.documents()} == {
            str(box.with_name("moved.zip"))
        }


class Reading:
    """A watcher that acts when a file was read."""

    def __init__(self, act: Callable[[str], object]) -> None:
        self.act = act

    def found(self, files: int, bytes: int = 0) -> None: ...
    def started(self, source: str, size: int) -> None: ...
    def read(self, source: str, pages: int) -> None:
        self.act(source)

    def file_done(self, source: str, outcome: Outcome, reason: str = "") -> None: ...
    def embedded(self, chunks: int) -> None: ...


def dies_with(monkeypatch: pytest.MonkeyPatch, name: str, *, after: bool) -> None:
    """The process dies right before or after the commit of a document of this name."""
    real = Catalog.commit_document

    def commit(self: Catalog, row: Any, **named: Any) -> Any:
        if not row.source.endswith(name):
            return real(self, row, **named)
        if after:
            real(self, row, **named)
        raise Crashed

    monkeypatch.setattr(Catalog, "commit_document", commit)


class TestLeftovers:
    @pytest.fixture
    def collected(self, monkeypatch: pytest.MonkeyPatch) -> list[object]:
        calls: list[object] = []
        monkeypatch.setattr(sync, "collect_leftovers", calls.append)
        return calls

    @pytest.fixture(autouse=True)
    def note(self, docs: Path) -> Path:
        (docs / "note.md").write_text("The crane is green.")
        return docs / "note.md"

    def test_a_job_that_waits_behind_is_no_reason_to_look_for_them(
        self, house: House, note: Path, collected: list[object]
    ) -> None:
        first, _ = (house.intake.note_paths([note], "default", None) for _ in range(2))
        house.intake.do(first)
        assert not collected

    def test_nor_is_one_before_it_that_waits_still(self, house: House, note: Path, collected: list[object]) -> None:
        _, second = (house.intake.note_paths([note], "default", None) for _ in range(2))
        house.intake.do(second)
        assert not collected

    def test_a_job_that_failed_before_is_one(self, house: House, note: Path, collected: list[object]) -> None:
        jobs = house.parts.catalog.jobs
        jobs.give_up(jobs.start("ingest", "ingest x"))
        house.intake.ingest([note], "default", None)
        assert len(collected) == 1
        house.intake.ingest([note], "default", None)
        assert len(collected) == 1

    @pytest.mark.parametrize("cancelled", [False, True])
    def test_while_another_job_writes_nothing_is_collected(
        self, house: House, note: Path, collected: list[object], cancelled: bool
    ) -> None:
        jobs = house.parts.catalog.jobs
        jobs.give_up(jobs.start("ingest", "ingest x"))
        other = jobs.start("ingest", "ingest y")
        if cancelled:
            jobs.cancel(other)
        house.intake.ingest([note], "default", None)
        assert not collected


class TestWhatAnAdminMends:
    def test_a_file_that_may_be_read_now_is_read_though_it_is_the_same(
        self, house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (docs / "shut.md").write_text("The crane is green.")
        real = os.open

        def denied(path: Any, *given: Any, **named: Any) -> int:
            if Path(path).name == "shut.md":
                raise PermissionError(13, "Permission denied")
            return real(path, *given, **named)

        monkeypatch.setattr(os, "open", denied)
        first = house.intake.sync(SOURCE)
        monkeypatch.undo()
        (file,) = failed(house, first.job).values()
        assert (file.reason, file.attempts) == ("can't be opened (Permission denied)", 1)
        assert house.intake.sync(SOURCE).added == 1

    @pytest.mark.parametrize(
        ("limits", "said"),
        [
            (IngestSettings(max_file_mib=1), "larger than 1 MiB"),
            (IngestSettings(max_text_mib=1), "ingest.max_text_mib"),
        ],
    )
    def test_a_file_is_taken_once_the_limit_is_raised(
        self, tmp_path: Path, docs: Path, limits: IngestSettings, said: str
    ) -> None:
        (docs / "large.md").write_text(f"The crane is green.{' ' * (1 << 20)}\n")
        with opened(tmp_path / "data", docs, limits) as house:
            assert said in house.intake.sync(SOURCE).failed[0].reason
        with opened(tmp_path / "data", docs) as house:
            assert house.intake.sync(SOURCE).added == 1

    def test_what_lies_in_an_archive_is_taken_by_another_try_once_the_limit_is_raised(
        self, tmp_path: Path, docs: Path
    ) -> None:
        long = f"The crane is green.{' ' * (1 << 20)}\n"
        (docs / "a.zip").write_bytes(packed(long_md=long, note_md="The heron sleeps."))
        with opened(tmp_path / "data", docs, IngestSettings(max_text_mib=1)) as house:
            report = house.intake.sync(SOURCE)
            assert list(reasons(report)) == [f"{docs}/a.zip!/long.md"]
        with opened(tmp_path / "data", docs) as house:
            house.intake.retry(report.job, failed=True)
            assert sources(house) == {"a.zip", "long.md", "note.md"}

    def test_a_mail_whose_text_is_too_much_says_so_beside_what_it_brought(self, tmp_path: Path, docs: Path) -> None:
        mail = EmailMessage()
        mail["Subject"] = "Cranes"
        mail.set_content("The crane is green.\n" * (1 << 17))
        mail.add_attachment("The heron sleeps.", filename="note.txt")
        (docs / "mail.eml").write_bytes(mail.as_bytes())
        with opened(tmp_path / "data", docs, IngestSettings(max_text_mib=1)) as house:
            report = house.intake.sync(SOURCE)
            assert sources(house) == {"mail.eml", "note.txt"}
            assert [each.source for each in report.skipped] == [f"{docs}/mail.eml"]
            assert "its own text was not read: it holds" in report.skipped[0].reason

    def test_a_file_is_taken_once_the_package_that_reads_it_is_there(
        self, house: House, docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (docs / "note.rst").write_text("The crane is green.\n")
        (tmp_path / "broken").mkdir()
        (tmp_path / "broken" / "pypandoc.py").write_text("raise ImportError('No module named pypandoc')\n")
        with monkeypatch.context() as without:
            without.syspath_prepend(tmp_path / "broken")
            assert "run `make setup`" in house.intake.sync(SOURCE).failed[0].reason
        assert house.intake.sync(SOURCE).added == 1

    def test_no_byte_is_fetched_of_a_file_that_is_too_large(
        self, tmp_path: Path, docs: Path, store: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.pipe_file("/share/large.md", b" " * ((1 << 20) + 1))
        monkeypatch.setattr(Remote, "fetch", lambda *_: pytest.fail("it was fetched"))
        with opened(tmp_path / "data", docs, IngestSettings(max_file_mib=1)) as house:
            house.intake.add(OriginRow("store", "memory://share", groups=frozenset({EVERYONE})))
            for _ in range(2):
                assert "larger than 1 MiB" in house.intake.sync("store").failed[0].reason


class TestWhatANewerVersionMayRead:
    """A file that can't be read is opened again when it changes, or when something else would read it."""

    @pytest.fixture(autouse=True)
    def broken(self, docs: Path) -> Path:
        (docs / "broken.pdf").write_bytes(BROKEN)
        return docs / "broken.pdf"

    @staticmethod
    def opened_by(house: House) -> list[str]:
        """The names of the files that a sync opened."""
        names: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            real = DocumentFiles.keep_original

            def keep(self: DocumentFiles, path: Path, **named: Any) -> str:
                names.append(path.resolve().name)
                return real(self, path, **named)

            patch.setattr(DocumentFiles, "keep_original", keep)
            assert len(house.intake.sync(SOURCE).failed) == 1
        return names

    def test_the_same_version_does_not_open_it_again(self, house: House) -> None:
        assert [self.opened_by(house) for _ in range(3)] == [["broken.pdf"], [], []]

    def test_a_newer_one_does_once(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        house.intake.sync(SOURCE)
        newer_parser(monkeypatch)
        assert [self.opened_by(house) for _ in range(2)] == [["broken.pdf"], []]

    def test_a_row_that_says_no_version_is_looked_at_once(self, house: House, broken: Path) -> None:
        house.intake.sync(SOURCE)
        (row,) = house.parts.catalog.documents()
        house.parts.catalog.record_failure(
            row.collection, row.source, row.reason, origin=row.origin, fingerprint=row.fingerprint
        )
        assert [self.opened_by(house) for _ in range(2)] == [["broken.pdf"], []]

    def test_what_is_in_is_renewed_and_its_broken_newer_version_stays_a_failure(
        self, house: House, broken: Path
    ) -> None:
        broken.unlink()
        (broken.parent / "note.md").write_text("The crane is green.")
        house.intake.sync(SOURCE)
        (broken.parent / "note.md").write_bytes(b"")
        house.intake.sync(SOURCE)
        (row,) = house.parts.catalog.documents()
        house.parts.catalog.mark_stale([row.id])
        house.intake.renew_stale()
        assert found(house, "crane")
        assert [self.opened_by(house) for _ in range(2)] == [["note.md"], []]
        assert found(house, "crane")


def newer_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on another version of the parser reads files."""
    for module in ("ingest.pipeline.versions", "ingest.pipeline.prepare"):
        monkeypatch.setattr(f"{module}.WHOLE", "4")


class TestStopping:
    def test_the_search_graph_hears_a_stop_and_the_job_waits(
        self, house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (docs / "note.md").write_text("The crane is green.")
        stop = threading.Event()

        def built(self: EdgeIndex, give_way: object, asked: Callable[[], bool]) -> None:
            assert not asked()
            stop.set()
            assert asked()

        monkeypatch.setattr(EdgeIndex, "optimize", built)
        job = house.intake.note_sync(SOURCE)
        house.intake.do(job, stop=stop.is_set)
        row = house.parts.catalog.jobs.job(job)
        assert row and (row.state, row.added) == ("waiting", 1)

    def test_the_search_graph_is_left_to_the_job_behind(
        self, house: House, docs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(EdgeIndex, "optimize", lambda *_: pytest.fail("it was built"))
        job = house.intake.note_sync(SOURCE)
        house.intake.do(job, leave_graph=lambda: True)
        row = house.parts.catalog.jobs.job(job)
        assert row and row.state == "finished"

    def test_a_fetch_that_was_stopped_is_nobodys_failure(
        self, house: House, store: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.pipe_file("/share/a.md", b"The crane is green.")
        house.intake.add(OriginRow("store", "memory://share", groups=frozenset({EVERYONE})))
        stop = threading.Event()

        def stopped(self: FileSystem, *given: Any) -> Iterator[bytes]:
            stop.set()
            yield b"The crane"
            pytest.fail("it was fetched on")

        monkeypatch.setattr(FileSystem, "read", stopped)
        job = house.intake.note_sync("store")
        house.intake.do(job, stop=stop.is_set)
        assert not failed(house, job) and not house.parts.catalog.documents()
        monkeypatch.undo()
        house.intake.do(job, resumed=True)
        assert sources(house) == {"a.md"}


def test_a_file_whose_time_no_calendar_holds_is_taken(house: House, docs: Path) -> None:
    (docs / "note.md").write_text("The crane is green.")
    os.utime(docs / "note.md", (1, 999_999_999_999))
    assert house.intake.sync(SOURCE).added == 1


def test_of_two_files_that_are_printed_alike_one_is_taken_and_one_says_why_not(house: House, docs: Path) -> None:
    for name in (b"a\xff.md", rb"a\xff.md"):
        Path(docs, name.decode("utf-8", "surrogateescape")).write_text("The crane is green.")
    for added in (1, 0):
        report = house.intake.sync(SOURCE)
        assert report.added == added
        assert reasons(report).keys() == {f"{docs}/a\\xff.md (2)"}
        assert "rename it" in report.failed[0].reason


class TestLinks:
    def test_a_document_stays_where_its_file_moves_into_a_hidden_store(self, house: House, docs: Path) -> None:
        (docs / "a.md").write_text("The crane is green.")
        (docs / "b.md").write_text("The heron sleeps.")
        house.intake.sync(SOURCE)
        (docs / ".git" / "annex").mkdir(parents=True)
        (docs / "a.md").rename(docs / ".git" / "annex" / "SHA256-1.md")
        (docs / "a.md").symlink_to(".git/annex/SHA256-1.md")
        assert house.intake.preview(SOURCE).plan.of("gone") == 0
        report = house.intake.sync(SOURCE)
        assert (report.unchanged, report.removed) == (2, 0)
        assert sources(house) == {"a.md", "b.md"} and found(house, "crane")

    def test_what_a_hidden_folder_holds_is_taken_in_under_the_name_of_its_link(self, house: House, docs: Path) -> None:
        for version, words in (("..1", "The crane is green."), ("..2", "The crane is red.")):
            (docs / version / "rules").mkdir(parents=True)
            (docs / version / "rules" / "a.md").write_text(words)
        (docs / "..data").symlink_to("..1")
        (docs / "rules").symlink_to("..data/rules")
        assert house.intake.sync(SOURCE).added == 1
        (docs / "..data").unlink()
        (docs / "..data").symlink_to("..2")
        report = house.intake.sync(SOURCE)
        assert (report.changed, report.added, report.removed) == (1, 0, 0)
        (row,) = house.parts.catalog.documents(state="live")
        assert row.source == str(docs / "rules" / "a.md") and found(house, "crane is red")
