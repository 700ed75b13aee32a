"""What ragapp keeps is its owner's alone from the moment it is there, whatever the umask says."""

from __future__ import annotations

import io
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.origins.uploads import stage
from ragapp import RagApp, Settings
from ragapp.backup.restore import restore_backup
from ragapp.catalog.catalog import Catalog
from ragapp.catalog.migrate import copy_database
from ragapp.doctor.rights import of_somebody_else, open_to_others, writable_above
from ragapp.doctor.verify import verify
from ragapp.engine.life import _open_log
from ragapp.private import private_folder
from ragapp.serve.run import told


@pytest.fixture
def generous() -> Iterator[None]:
    """A umask under which whatever doesn't say otherwise is everybody's to write."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def modes(data: Path) -> dict[str, str]:
    """What others may get into, by name, but for what Qdrant keeps in a folder that nobody else gets into."""
    found = {}
    for path in (data, *data.rglob("*")):
        inner = path.relative_to(data).parts[2:]
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode & 0o077 and not (inner and path.relative_to(data).parts[0] == "index") and "models" not in str(path):
            found[str(path)] = oct(mode)
    return found


@pytest.mark.usefixtures("generous")
def test_all_that_lies_in_a_data_folder(tmp_path: Path, models_dir: Path) -> None:
    data = tmp_path / "made" / "here"
    (tmp_path / "pay.md").write_text("# Pay\n\nThe kiln master earns 5100 euro.\n")
    with RagApp(Settings(data=data), models_dir=models_dir) as app:
        app.ingest(tmp_path / "pay.md", groups=["board"])
        app.index.delete_chunks(["2f1ed4b8-5a0c-4b52-9d0c-6c1e6c9d1c11"])
        stage(data / "uploads", [("a.md", io.BytesIO(b"# A"))])
        copy_database(data / "catalog.db", data / "catalog.db.0001.bak")
        _open_log(data / "logs" / "engine.log").close()
        logging.getLogger("ragapp").warning("a line")
        with told(data, "http://127.0.0.1:9", "secret"):
            assert modes(data) == {}
        assert {"catalog.db-wal", "catalog.db-shm", "logs", "index"} <= {path.name for path in data.iterdir()}
        app.backup(tmp_path / "b.tar.gz")
        assert stat.S_IMODE((tmp_path / "b.tar.gz").stat().st_mode) == 0o600
        found = verify(app.catalog, app.index, app.files, data / "scratch", lambda _: None)
        assert not found.of("open to others")
    assert (data / "logs" / "ragapp.log").exists() and modes(data) == {}
    restore_backup(tmp_path / "b.tar.gz", tmp_path / "again", lambda _: None)
    Catalog.open(tmp_path / "again").close()
    assert modes(tmp_path / "again") == {}


@pytest.mark.usefixtures("generous")
def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir(0o755)
    private_folder(tmp_path / "shared" / "a" / "b")
    found = [stat.S_IMODE((tmp_path / "shared" / part).stat().st_mode) for part in ("", "a", "a/b")]
    assert found == [0o755, 0o700, 0o700]
    private_folder(tmp_path / "shared")


class TestTheDoctor:
    def test_names_what_others_get_into(self, tmp_path: Path) -> None:
        data = tmp_path / "data"
        Catalog.open(data).close()
        assert [*open_to_others(data)] == []
        (data / "catalog.db").chmod(0o640)
        (data / "index").mkdir(0o750)
        (data / "models").mkdir(0o755)
        (data / "link").symlink_to("/etc")
        assert [*open_to_others(data)] == [data / "catalog.db", data / "index"]

    def test_names_what_is_above_it(self, tmp_path: Path) -> None:
        data = tmp_path / "shared" / "data"
        Catalog.open(data).close()
        assert data.parent not in writable_above(data)
        data.parent.chmod(0o775)
        assert data.parent in writable_above(data)
        data.parent.chmod(0o1777)
        assert data.parent not in writable_above(data), "the sticky bit keeps others from renaming it"

    def test_names_what_belongs_to_somebody_else(self, tmp_path: Path) -> None:
        data = tmp_path / "data"
        Catalog.open(data).close()
        assert [*of_somebody_else(data)] == []
        if os.geteuid():
            pytest.skip("only root gives files away")
        os.chown(data / "catalog.db", 65534, 65534)
        assert [*of_somebody_else(data)] == [data / "catalog.db"]
