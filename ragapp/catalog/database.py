"""Opening the catalog's database, and its faults in words."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError

from ragapp.errors import CatalogError, StorageFull

_WAIT_MS = 30_000
"""How long one process waits for another's commit before it gives up."""


WRITES = {"ragapp_writes": True}
"""Execution options of an engine whose transactions will write."""


def sqlite_engine(path: Path) -> Engine:
    """An engine on a SQLite file, safe to share between threads.

    Transactions with the execution options WRITES take the write lock before they read: a transaction that read first
    and then finds that another has written in between would fail at once, without waiting.
    """
    engine = create_engine(URL.create("sqlite", database=str(path)))

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        # sqlite3 would otherwise begin transactions by itself, and only with the first write
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={_WAIT_MS}",
            "journal_mode=WAL",
            # a revision number that was given out must survive a power cut, or its chunks could be mistaken
            "synchronous=FULL",
            "foreign_keys=ON",
            # what is removed must not stand in the file's free pages
            "secure_delete=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        writes = connection.get_execution_options().get("ragapp_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Faults of the database and the file system as one sentence each."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull(full(path)) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM) and (why := _not_writable(path.parent)):
            raise CatalogError(not_writable(path.parent, why)) from error
        raise CatalogError(
            f"The catalog {path} can't be opened or written: {error.strerror}; check its rights."
        ) from error
    except (DatabaseError, sqlite3.Error) as error:
        # from SQLAlchemy, or straight from SQLite, which copies without it
        reason = str(error.orig if isinstance(error, DatabaseError) else error)
        if means_full(reason):
            raise StorageFull(full(path)) from error
        if "readonly" in reason or "unable to open" in reason:
            if why := _not_writable(path.parent):
                raise CatalogError(not_writable(path.parent, why)) from error
            raise CatalogError(
                f"The catalog {path} can't be written ({reason}); check its rights, or choose another --data."
            ) from error
        if "malformed" in reason or "not a database" in reason:
            raise CatalogError(
                f"The catalog {path} is damaged ({reason}); put a copy of it back, or move {path.parent} away and "
                "ingest again."
            ) from error
        if "locked" in reason:
            raise CatalogError(
                f"The catalog {path} is in use by another process for more than {_WAIT_MS // 1000} seconds; wait for "
                "it to finish, then try again."
            ) from error
        raise


def not_writable(data: Path, why: str) -> str:
    """The sentence that a data folder can't be written."""
    return (
        f"The data folder {data} can't be written ({why}), which reading in it needs as well; give this user the right "
        "to, or choose another --data."
    )


def _not_writable(folder: Path) -> str:
    """Why this process can't write in a folder; empty where it can."""
    # in Python 3.11 `exists` raises where a folder above may not be entered
    while not os.path.exists(folder):  # noqa: PTH110
        folder = folder.parent
    if os.access(folder, os.W_OK | os.X_OK):
        return ""
    read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
    return "its disk is mounted read-only" if read_only else "this user has no right to"


def means_full(reason: str) -> bool:
    """Whether SQLite's words are those for a disk that takes no more."""
    return "is full" in reason or "disk I/O error" in reason


def full(path: Path) -> str:
    """The sentence that the disk of `path` is full."""
    return f"The disk of {path} is full; free some space and run again (what was committed is untouched)."
