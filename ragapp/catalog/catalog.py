"""The authority on what is in: documents at their live revision, who may see them, and the runs that brought them.

A document becomes searchable, changes or vanishes by one commit here. Whatever the index holds, only what `confirm`
lets through may reach a reader.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine

from ragapp.catalog.collections import Collections
from ragapp.catalog.commits import Commits
from ragapp.catalog.conversations import Conversations
from ragapp.catalog.credentials import Credentials
from ragapp.catalog.database import in_words, sqlite_engine
from ragapp.catalog.documents import Documents
from ragapp.catalog.groups import GroupChanges
from ragapp.catalog.jobs import Jobs
from ragapp.catalog.listing import Listing
from ragapp.catalog.lookup import Lookup
from ragapp.catalog.mentions import Mentions
from ragapp.catalog.migrate import MIGRATIONS, Migrations, bring_up_to_date, copy_database
from ragapp.catalog.origins import Origins
from ragapp.catalog.people import People
from ragapp.catalog.records import Audit, UsageRecords
from ragapp.catalog.removals import Removals
from ragapp.catalog.sessions import Sessions
from ragapp.catalog.standings import Standings
from ragapp.catalog.tables import MetaTable
from ragapp.catalog.versions import Versions
from ragapp.errors import CatalogError
from ragapp.private import private_file, private_folder

FILE_NAME = "catalog.db"


class Catalog(Documents, Commits):
    """One data folder's catalog. Safe to share between threads, and between processes on one machine."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self._sessions = Sessions(engine, path)
        Documents.__init__(self, self._sessions)
        Commits.__init__(self, self._sessions)
        self._engine = engine
        self._path = path
        self.jobs = Jobs(self._sessions)
        self.origins = Origins(self._sessions)
        self.access = GroupChanges(self._sessions)
        self.removals = Removals(self._sessions)
        self.lookup = Lookup(self._sessions)
        self.listing = Listing(self._sessions)
        self.people = People(self._sessions)
        self.credentials = Credentials(self._sessions)
        self.standings = Standings(self._sessions)
        self.conversations = Conversations(self._sessions)
        self.mentions = Mentions(self._sessions)
        self.collection_rules = Collections(self._sessions)
        self.audit = Audit(self._sessions)
        self.usage = UsageRecords(self._sessions)
        self._versions = Versions(path)

    @classmethod
    def open(cls, folder: Path, migrations: Migrations = MIGRATIONS) -> Catalog:
        """The catalog of a data folder; made when it isn't there, migrated after a copy when it is older.

        Raises CatalogError where it is newer, damaged or can't be written, StorageFull where the disk is full.
        """
        path = folder / FILE_NAME
        engine = sqlite_engine(path)
        try:
            with in_words(path):
                private_folder(folder)
                # made before SQLite makes it, which would let others read it; what it keeps beside gets the same rights
                with suppress(FileExistsError):
                    os.close(private_file(path, os.O_CREAT | os.O_EXCL | os.O_RDWR))
                bring_up_to_date(engine, path, migrations)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, path)

    @property
    def url(self) -> str:
        """The database's address, as SQLAlchemy writes it."""
        return self._engine.url.render_as_string()

    def close(self) -> None:
        """Let go of the database. Closing twice is harmless."""
        self._versions.close()
        self._engine.dispose()

    def version(self) -> int:
        """Another number after each commit, of whichever process: what was looked up before holds as long as it is the
        same. A look takes microseconds."""
        return self._versions.now()

    def copy_to(self, target: Path) -> None:
        """A copy of the catalog as it stands at one moment, while others read and write."""
        with in_words(target):
            copy_database(self._path, target)

    def scrub(self) -> None:
        """Overwrite what was deleted: SQLite zeroes deleted rows, and its write-ahead log is emptied here."""
        with in_words(self._path), self._engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # the embedding model

    def embedder(self) -> tuple[str, str] | None:
        """Name and fingerprint of the embedding model that this folder's vectors are of; None before the first."""
        with self._session() as session:
            name = session.get(MetaTable, "embedder")
            fingerprint = session.get(MetaTable, "embedder_fingerprint")
            return (name.value, fingerprint.value) if name and fingerprint else None

    def claim_embedder(self, name: str, fingerprint: str) -> None:
        """Tie this folder to an embedding model. Raises CatalogError where it is tied to another one already.

        A folder without live documents can be tied anew.
        """
        known = self.embedder()
        if known and known[1] == fingerprint:
            return
        if known and self.totals().documents:
            raise CatalogError(
                f"The data in {self._path.parent} was embedded with {known[0]}, and the settings say {name}"
                f"{' with other weights or another prompt' if known[0] == name else ''}; set embedder.model back, or "
                "choose another --data and ingest again."
            )
        with self._writing() as session:
            session.merge(MetaTable(key="embedder", value=name))
            session.merge(MetaTable(key="embedder_fingerprint", value=fingerprint))
