"""Databases of other versions: older ones are copied and migrated, newer ones refused untouched."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from ragapp.catalog.catalog import FILE_NAME, Catalog
from ragapp.catalog.migrate import MIGRATIONS, Migrations
from ragapp.catalog.tables import Table
from ragapp.errors import CatalogError
from ragapp.types import document_id

NEXT = '''"""A version to come."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    op.add_column("collections", sa.Column("colour", sa.Text))
'''


@pytest.fixture
def later(tmp_path: Path) -> Migrations:
    """Our migrations and one more, as the next release would have."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS.folder, folder)
    (folder / "versions" / "9999_next.py").write_text(NEXT.format(head=MIGRATIONS.head))
    return Migrations(folder, (*MIGRATIONS.versions, "9999"))


def columns(path: Path, table: str) -> set[str]:
    with sqlite3.connect(path) as database:
        return {row[1] for row in database.execute(f"PRAGMA table_info({table})")}


def test_the_known_versions_are_the_scripts_in_order() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS.folder))
    scripts = ScriptDirectory.from_config(config)
    assert tuple(script.revision for script in reversed(list(scripts.walk_revisions()))) == MIGRATIONS.versions


def test_the_migrations_make_exactly_the_tables(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    Catalog.open(tmp_path).close()
    engine = create_engine(f"sqlite:///{tmp_path / FILE_NAME}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
        assert "alembic_version" in inspect(connection).get_table_names()
    engine.dispose()


def test_an_older_database_is_copied_and_migrated_with_all_it_holds(tmp_path: Path, later: Migrations) -> None:
    old = Catalog.open(tmp_path / "data")
    old.record_failure("default", "a.md", "is empty")
    new = Catalog.open(tmp_path / "data", later)
    assert [document.source for document in new.documents()] == ["a.md"]
    old.close()
    new.close()
    assert "colour" in columns(tmp_path / "data" / FILE_NAME, "collections")
    copy = tmp_path / "data" / f"{FILE_NAME}.{MIGRATIONS.head}.bak"
    assert "colour" not in columns(copy, "collections")
    with sqlite3.connect(copy) as database:
        assert database.execute("SELECT source FROM documents").fetchall() == [("a.md",)]


@pytest.mark.parametrize("copying", ["Catalog.open(data, later)", "Catalog.open(data).copy_to(data / 'copy.db')"])
def test_a_disk_that_fills_while_a_copy_is_made_says_so_and_keeps_nothing_of_it(
    tmp_path: Path, later: Migrations, copying: str
) -> None:
    data = tmp_path / "data"
    old = Catalog.open(data)
    old.record_failure("default", "a.md", "x" * 300_000)
    old.close()
    before = {path.name for path in data.iterdir()}
    script = (
        "import resource, signal, sys, pathlib\n"
        "from ragapp.catalog.catalog import Catalog\n"
        "from ragapp.catalog.migrate import MIGRATIONS, Migrations\n"
        "from ragapp.errors import StorageFull\n"
        "data = pathlib.Path(sys.argv[1])\n"
        "later = Migrations(pathlib.Path(sys.argv[2]), (*MIGRATIONS.versions, '9999'))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        f"try: {copying}\n"
        "except StorageFull as error: print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(data), str(later.folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "is full; free some space" in ran.stdout, ran.stderr
    assert {path.name for path in data.iterdir()} - before <= {f"{FILE_NAME}-wal", f"{FILE_NAME}-shm"}
    reopened = Catalog.open(data)
    assert [document.source for document in reopened.documents()] == ["a.md"]
    reopened.close()


def test_a_copy_that_can_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    catalog = Catalog.open(tmp_path)
    with pytest.raises(CatalogError, match=r"nowhere/copy.db can't be opened or written: No such file"):
        catalog.copy_to(tmp_path / "nowhere" / "copy.db")
    catalog.close()


def test_a_newer_database_is_refused_and_untouched(tmp_path: Path, later: Migrations) -> None:
    Catalog.open(tmp_path / "data", later).close()
    before = (tmp_path / "data" / FILE_NAME).read_bytes()
    with pytest.raises(CatalogError, match=r"written by a newer version of ragapp .* update ragapp"):
        Catalog.open(tmp_path / "data")
    assert (tmp_path / "data" / FILE_NAME).read_bytes() == before


def test_a_migration_that_fails_leaves_the_old_version(tmp_path: Path, later: Migrations) -> None:
    Catalog.open(tmp_path / "data").close()
    script = later.folder / "versions" / "9999_next.py"
    script.write_text(script.read_text() + "    raise RuntimeError('half way')\n")
    with pytest.raises(RuntimeError, match="half way"):
        Catalog.open(tmp_path / "data", later)
    assert "colour" not in columns(tmp_path / "data" / FILE_NAME, "collections")
    Catalog.open(tmp_path / "data").close()


def test_two_processes_that_open_a_new_folder_at_once_both_succeed(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from ragapp.catalog.catalog import Catalog\n"
        "print(Catalog.open(pathlib.Path(sys.argv[1])).totals().documents)\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [process.communicate(timeout=60)[0].strip() for process in processes] == ["0", "0", "0"]


def test_opening_what_is_up_to_date_loads_no_alembic(tmp_path: Path) -> None:
    Catalog.open(tmp_path).close()
    script = (
        "import sys, pathlib\n"
        "from ragapp.catalog.catalog import Catalog\n"
        "Catalog.open(pathlib.Path(sys.argv[1])).totals()\n"
        "print(sorted({'alembic', 'torch', 'qdrant_client', 'langchain_core'} & set(sys.modules)))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_the_data_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "100% strange? #name & more"
    Catalog.open(folder).close()
    assert (folder / FILE_NAME).exists()


def up_to(version: str) -> Migrations:
    """Our migrations as they were when this version was the last."""
    return Migrations(MIGRATIONS.folder, MIGRATIONS.versions[: MIGRATIONS.versions.index(version) + 1])


def test_what_was_changed_before_it_was_noted_by_whom_counts_as_chosen_by_hand(tmp_path: Path) -> None:
    """A source's documents follow its rules, what lies in a container follows that, and a mark of the index is no
    choice."""
    path = tmp_path / FILE_NAME
    before = up_to(MIGRATIONS.versions[MIGRATIONS.versions.index("0006") - 1])
    with closing(Catalog.open(tmp_path, before)) as catalog:
        for name in ("hand.md", "source.md", "behind.md", "box.zip"):
            catalog.record_failure("default", name, "is empty", origin="share" if name == "source.md" else "")
        catalog.record_failure("default", "box.zip!/in.md", "is empty", container=document_id("default", "box.zip"))
        keys = {row.source: row.id for row in catalog.documents()}
    with sqlite3.connect(path) as database:
        for source, key in keys.items():
            job = 0 if source == "behind.md" else 7
            database.execute(
                "INSERT INTO group_changes (document_id, revision, due, job) VALUES (?, 0, 1, ?)", (key, job)
            )
    with closing(Catalog.open(tmp_path)) as catalog:
        assert catalog.access.by_hand(list(keys.values())) == {keys["hand.md"], keys["box.zip"]}


def test_the_mark_of_a_choice_by_hand_goes_down_again_and_the_rest_stays(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    path = tmp_path / FILE_NAME
    with closing(Catalog.open(tmp_path, up_to("0006"))) as catalog:
        catalog.record_failure("default", "a.md", "is empty")
        catalog.access.change({document_id("default", "a.md"): frozenset({"hr"})})
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS.folder))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "-1")
    engine.dispose()
    assert "by_hand" not in columns(path, "group_changes") and "kept" not in columns(path, "jobs")
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT group_name FROM document_groups").fetchall() == [("hr",)]
        assert database.execute("SELECT due FROM group_changes").fetchall() == [(1,)]
