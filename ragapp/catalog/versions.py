"""Whether anything was committed to the catalog since one last looked, by whichever process."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from ragapp.catalog.database import in_words

_WAIT_S = 30.0


class Versions:
    """A connection of its own that never writes, so that every commit is another's to it. Threads may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def now(self) -> int:
        """A number that is another one after each commit; compare it with nothing but earlier ones of this process."""
        with self._lock, in_words(self._path):
            if self._connection is None:
                there = f"{self._path.absolute().as_uri()}?mode=rw"  # never makes a new file
                self._connection = sqlite3.connect(
                    there, uri=True, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
                )
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
