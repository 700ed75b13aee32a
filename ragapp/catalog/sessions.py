"""Sessions on the catalog's database: one to read, one whose work is committed as a whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from ragapp.catalog.database import WRITES, in_words
from ragapp.catalog.interrupts import interrupts_wait


class Sessions:
    """Hands out sessions to the parts of one catalog. Safe to share between threads."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self.engine = engine
        self.path = path
        self._writer = engine.execution_options(**WRITES)
        self._mine = threading.local()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads."""
        if alone := getattr(self._mine, "session", None):
            yield alone
            return
        with interrupts_wait(), in_words(self.path), Session(self.engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose work is committed as one when the block ends, and undone when it fails."""
        with (
            interrupts_wait(),
            in_words(self.path),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def alone(self) -> Iterator[Session]:
        """A session like `writing`'s, through which this thread also reads: nobody writes between the two.

        Those who wait to write may hold all other connections, so none is needed here.
        """
        with self.writing() as session:
            self._mine.session = session
            try:
                yield session
            finally:
                self._mine.session = None
