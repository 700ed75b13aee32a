"""Which version of the tables a database has, and bringing it to ours. Loads Alembic only where there is work."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, inspect, text

from ragapp.catalog.database import WRITES, full, means_full
from ragapp.errors import CatalogError, StorageFull
from ragapp.private import private_file


@dataclass(frozen=True, slots=True)
class Migrations:
    """A folder of Alembic scripts and the ids of its versions, oldest first, so that the head is known unread."""

    folder: Path
    versions: tuple[str, ...]

    @property
    def head(self) -> str:
        return self.versions[-1]


MIGRATIONS = Migrations(
    Path(__file__).parent / "migrations", ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
)


def bring_up_to_date(engine: Engine, path: Path, migrations: Migrations) -> None:
    """Make the tables of a new database, or migrate an older one after copying its file beside it.

    Raises CatalogError, and changes nothing, where the database is of a newer version than ours.
    """
    if _stamped(engine) == migrations.head:
        return
    with _alone(path):
        # another process may have done it while we waited
        version = _stamped(engine)
        if version == migrations.head:
            return
        if version is not None and version not in migrations.versions:
            raise CatalogError(
                f"The data in {path.parent} was written by a newer version of ragapp (its catalog is of version "
                f"{version}, this one knows {migrations.head}); update ragapp, or choose another --data."
            )
        if version is not None:
            copy_database(path, path.with_name(f"{path.name}.{version}.bak"))
        _upgrade(engine, migrations)


def _stamped(engine: Engine) -> str | None:
    """The version a database says it has; None for a new one."""
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        if "alembic_version" not in tables:
            if tables:
                raise CatalogError(
                    f"The file {engine.url.database} is a database, and not ragapp's; choose another --data."
                )
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(engine: Engine, migrations: Migrations) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations.folder).replace("%", "%%"))
    with engine.execution_options(**WRITES).connect() as connection:
        # a table that is copied and dropped must not take along the rows that refer to it
        on_sqlite = engine.dialect.name == "sqlite"
        if on_sqlite:
            connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
        with connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, migrations.head)
        if on_sqlite:
            connection.connection.cursor().execute("PRAGMA foreign_keys=ON")


def copy_database(path: Path, target: Path) -> None:
    """Copy through SQLite's own backup, which takes along what still lies in the write-ahead log.

    Raises StorageFull where the target's disk is full; nothing of the copy is left then.
    """
    draft = target.with_name(target.name + ".new")
    draft.unlink(missing_ok=True)
    try:
        os.close(private_file(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR))
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(draft)) as sink:
            source.backup(sink)
        draft.rename(target)
    except sqlite3.Error as error:
        if means_full(str(error)):
            raise StorageFull(full(target)) from error
        raise
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two processes that open a data folder at the same time migrate it one after the other."""
    with open(path.with_name(path.name + ".lock"), "w", opener=private_file) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
