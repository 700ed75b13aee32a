"""A backup holds together whatever goes on beside it, and a restore takes only what it knows."""

from __future__ import annotations

import json
import shutil
import tarfile
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from ragapp import RagApp, Settings
from ragapp.backup.manifest import HEAD, head, read_head
from ragapp.backup.restore import restore_backup
from ragapp.doctor.verify import verify
from ragapp.errors import CatalogError, IndexLocked, StorageFull


def silent(_: str) -> None:
    """Nobody listens."""


@pytest.fixture
def filled(fresh: RagApp, tmp_path: Path) -> RagApp:
    folder = tmp_path / "documents"
    folder.mkdir()
    for i in range(5):
        (folder / f"{i}.md").write_text(f"# Rule {i}\n\nThe caretaker of house {i} is Ida.\n")
    fresh.ingest(folder)
    return fresh


def restored(app: RagApp, backup: Path, into: Path) -> RagApp:
    restore_backup(backup, into, silent)
    return RagApp(Settings(data=into), models_dir=app._models_dir, engine=app._handed_engine)


def test_a_backup_made_while_others_search_and_ingest_is_whole(filled: RagApp, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    stop = threading.Event()
    failures: list[BaseException] = []

    def search() -> None:
        try:
            while not stop.is_set():
                assert filled.search("caretaker of the house")
        except BaseException as error:
            failures.append(error)

    def take_in() -> None:
        try:
            for i in range(200):
                if stop.is_set():
                    return
                (more / f"{i % 7}.md").write_text(f"# More {i}\n\nThe gardener of house {i} is Jan.\n")
                filled.ingest(more / f"{i % 7}.md")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=search), threading.Thread(target=take_in)]
    for thread in threads:
        thread.start()
    backups = [tmp_path / f"{i}.tar.gz" for i in range(4)]
    for backup in backups:
        filled.backup(backup)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    for i, backup in enumerate(backups):
        with restored(filled, backup, tmp_path / f"back{i}") as again:
            found = verify(again.catalog, again.index, again.files, again.settings.data / "scratch", silent)
            # chunks that an ingest had written and not yet committed are work that was not done, and no lie
            assert {difference.kind for difference in found.differences} <= {
                "chunks of dead revisions",
                "chunks of no document",
            }
            assert found.documents >= 5
            assert again.search("caretaker of the house")
    assert not list((filled.settings.data / "scratch").iterdir())


def test_an_older_backup_of_that_name_stays_until_the_new_one_is_whole(
    filled: RagApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = tmp_path / "b.tar.gz"
    filled.backup(backup)
    before = backup.read_bytes()
    monkeypatch.setattr(tarfile.TarFile, "addfile", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with pytest.raises(CatalogError, match="can't be written"):
        filled.backup(backup)
    assert backup.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".b")] == []


def test_a_full_disk_is_said_before_anything_is_written(
    filled: RagApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))  # type: ignore[attr-defined]
    with pytest.raises(StorageFull, match="are free"):
        filled.backup(tmp_path / "b.tar.gz")
    assert not (tmp_path / "b.tar.gz").exists()


def test_a_backup_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    newer = json.dumps(asdict(replace(head("", "edge", 1, 1, 0), catalog="9999", ragapp="99.0"))).encode()
    with pytest.raises(CatalogError, match=r"newer ragapp \(99\.0"):
        read_head("b", newer)


def test_a_name_that_leads_out_of_the_folder_is_refused(filled: RagApp, tmp_path: Path) -> None:
    backup, evil = tmp_path / "b.tar.gz", tmp_path / "evil.tar.gz"
    filled.backup(backup)
    (tmp_path / "payload").write_text("x")
    with tarfile.open(backup) as source, tarfile.open(evil, "w:gz") as sink:
        sink.addfile(source.getmember(HEAD), source.extractfile(HEAD))
        sink.add(tmp_path / "payload", "../../out")
    with pytest.raises(CatalogError, match="never writes"):
        restore_backup(evil, tmp_path / "into", silent)
    assert not (tmp_path / "out").exists()
    assert list((tmp_path / "into").iterdir()) == []


def test_a_folder_that_another_process_works_on_is_not_replaced(filled: RagApp, tmp_path: Path) -> None:
    filled.backup(tmp_path / "b.tar.gz")
    with pytest.raises(IndexLocked, match="is in use"):
        restore_backup(tmp_path / "b.tar.gz", filled.settings.data, silent, force=True)
    assert filled.search("caretaker")


def test_models_and_logs_stay_where_they_are(filled: RagApp, tmp_path: Path) -> None:
    filled.backup(tmp_path / "b.tar.gz")
    into = tmp_path / "into"
    (into / "models" / "own").mkdir(parents=True)
    restore_backup(tmp_path / "b.tar.gz", into, silent)
    assert (into / "models" / "own").is_dir()
    with tarfile.open(tmp_path / "b.tar.gz") as tar:
        assert not [name for name in tar.getnames() if name.startswith(("models", "logs"))]
