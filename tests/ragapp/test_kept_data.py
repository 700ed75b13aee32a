"""A data folder that the version before jobs and synced sources made: it opens, and nothing is ingested again."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragapp import Principal, RagApp, Settings
from ragapp.access import scope

KEPT = Path(__file__).parents[1] / "kept" / "data-0001.tar.xz"
MADE_AT = Path("/tmp/ragapp-0001")
"""Where the folder lay when it was made: four documents for everyone, one of them changed once, one for the board, and
a file that can't be read."""


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Path]:
    with tarfile.open(KEPT) as archive:
        archive.extractall(tmp_path, filter="data")
    if MADE_AT.exists():
        pytest.skip(f"{MADE_AT} is in use")
    MADE_AT.symlink_to(tmp_path / MADE_AT.name)
    yield tmp_path / MADE_AT.name / "data"
    MADE_AT.unlink()


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
