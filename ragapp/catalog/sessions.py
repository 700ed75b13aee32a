"""Sessions on the catalog's database: one to read, one whose work is committed as a whole."""

from __future__ import annotations

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

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads."""
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
