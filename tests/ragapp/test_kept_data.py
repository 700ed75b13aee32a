"""Data folders that earlier versions made: they open, migrated, and nothing is ingested again."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ragapp import Principal, RagApp, Settings
from ragapp.access import scope

FOLDERS = Path(__file__).parents[1] / "kept"
MADE_AT = Path("/tmp/ragapp-0001")
"""Where the folder lay when it was made: four documents for everyone, one of them changed once, one for the board, and
a file that can't be read."""

BEFORE_SERVICE = Path("/tmp/ragapp-0002")
"""Of the version before the service: two documents for everyone, one of them changed once, a file that can't be read,
and a synced source for the board with an archive in it."""


@contextmanager
def opened(made_at: Path, into: Path) -> Iterator[Path]:
    """A kept folder, under the path where it lay when it was made."""
    with tarfile.open(FOLDERS / f"data-{made_at.name[-4:]}.tar.xz") as archive:
        archive.extractall(into, filter="data")
    if made_at.exists():
        pytest.skip(f"{made_at} is in use")
    made_at.symlink_to(into / made_at.name)
    yield into / made_at.name / "data"
    made_at.unlink()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Path]:
    with opened(MADE_AT, tmp_path) as data:
        yield data


@pytest.fixture
def before_service(tmp_path: Path) -> Iterator[Path]:
    with opened(BEFORE_SERVICE, tmp_path) as data:
        yield data


def test_it_opens_migrated_and_nothing_is_ingested_again(kept: Path, models_dir: Path) -> None:
    with RagApp(Settings(data=kept), models_dir=models_dir) as app:
        found = app.search("When does the office open?")
        assert "7:45" in found[0].text
        again = app.ingest(MADE_AT / "docs")
        assert (again.unchanged, again.added, again.changed, again.embedded) == (4, 0, 0, 0)
        assert [Path(failure.source).name for failure in again.failed] == ["broken.pdf"]
        jobs = app.catalog.jobs.list()
        assert [(job.kind, job.added, job.changed, job.unchanged) for job in jobs[1:]] == [
            ("ingest", 0, 1, 0), ("ingest", 1, 0, 0), ("ingest", 4, 0, 0)
        ]  # fmt: skip
        assert (kept / "catalog.db.0001.bak").is_file()


def test_who_may_see_what_stays_as_it_was(kept: Path, models_dir: Path) -> None:
    with RagApp(Settings(data=kept), models_dir=models_dir) as app:
        (board,) = app.catalog.documents(collection="board")
        assert board.groups == {"board"}
        in_board = scope(Principal("nobody"), collections=frozenset({"board"}))
        for principal, sees in ((Principal("eve"), False), (Principal("ada", frozenset({"board"})), True)):
            found = app.search("Where does the workshop move?", principal=principal, narrowed=in_board)
            assert [passage.document_id for passage in found] == ([board.id] if sees else [])


def test_one_from_before_the_service_opens_with_its_sources_and_jobs(before_service: Path, models_dir: Path) -> None:
    with RagApp(Settings(data=before_service), models_dir=models_dir) as app:
        again = app.ingest(BEFORE_SERVICE / "docs")
        assert (again.unchanged, again.added, again.changed, again.embedded) == (2, 0, 0, 0)
        synced = app.intake.sync("share")
        assert (synced.unchanged, synced.added, synced.changed, synced.removed) == (4, 0, 0, 0)
        assert [job.kind for job in app.catalog.jobs.list()][2:] == ["ingest", "sync", "ingest"]
        assert {row.groups for row in app.catalog.documents(collection="board")} == {frozenset({"board"})}
        assert app.catalog.people.list() == ()
        assert (before_service / "catalog.db.0002.bak").is_file()
