"""The authority on what is in: documents at their live revision, who may see them, and the runs that brought them.

A document becomes searchable, changes or vanishes by one commit here. Whatever the index holds, only what `confirm`
lets through may reach a reader.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, case, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ragapp.catalog.collections import Collections
from ragapp.catalog.conversations import Conversations
from ragapp.catalog.credentials import Credentials
from ragapp.catalog.database import in_words, sqlite_engine
from ragapp.catalog.groups import GroupChanges, groups_to_keep
from ragapp.catalog.jobs import Jobs
from ragapp.catalog.listing import Listing, note_revision
from ragapp.catalog.lookup import Lookup
from ragapp.catalog.mapping import add_collection, replace_groups, to_rows, to_table, visible_to
from ragapp.catalog.migrate import MIGRATIONS, Migrations, bring_up_to_date, copy_database
from ragapp.catalog.origins import Origins
from ragapp.catalog.people import People
from ragapp.catalog.records import Audit, UsageRecords
from ragapp.catalog.removals import Removals, is_earlier, keep_earlier, take_over_earlier
from ragapp.catalog.rows import DocumentRow, DocumentState, Totals
from ragapp.catalog.sessions import Sessions
from ragapp.catalog.tables import (
    CollectionTable,
    DocumentTable,
    EarlierBytesTable,
    GroupTable,
    JobFileTable,
    MetaTable,
    RevisionTable,
)
from ragapp.errors import CatalogError
from ragapp.types import Principal, document_id

FILE_NAME = "catalog.db"
_AGAIN = ".again"
"""Behind a document's parser version: made by it, and to be made again."""


class Catalog:
    """One data folder's catalog. Safe to share between threads, and between processes on one machine."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self._sessions = Sessions(engine, path)
        self._session, self._writing = self._sessions.reading, self._sessions.writing
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
        self.conversations = Conversations(self._sessions)
        self.collection_rules = Collections(self._sessions)
        self.audit = Audit(self._sessions)
        self.usage = UsageRecords(self._sessions)

    @classmethod
    def open(cls, folder: Path, migrations: Migrations = MIGRATIONS) -> Catalog:
        """The catalog of a data folder; made when it isn't there, migrated after a copy when it is older.

        Raises CatalogError where it is newer, damaged or can't be written, StorageFull where the disk is full.
        """
        path = folder / FILE_NAME
        engine = sqlite_engine(path)
        try:
            with in_words(path):
                folder.mkdir(parents=True, exist_ok=True)
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
        self._engine.dispose()

    # documents

    def document(self, document_id: str) -> DocumentRow | None:
        """One document, live or failed; None where it was never seen."""
        with self._session() as session:
            found = session.get(DocumentTable, document_id)
            return to_rows(session, [found])[0] if found else None

    def by_source(self, collection: str, source: str) -> DocumentRow | None:
        """The document that `source` names in a collection."""
        return self.document(document_id(collection, source))

    def documents(
        self,
        *,
        collection: str | None = None,
        principal: Principal | None = None,
        state: DocumentState | None = None,
        origin: str | None = None,
        container: str | None = None,
    ) -> tuple[DocumentRow, ...]:
        """Documents by collection and source; with a principal, only those it may see.

        `origin` takes those that a synced source brought, `container` those that lie directly in a document.
        """
        wanted = select(DocumentTable).order_by(DocumentTable.collection, DocumentTable.source)
        if collection is not None:
            wanted = wanted.where(DocumentTable.collection == collection)
        if state is not None:
            wanted = wanted.where(DocumentTable.state == state)
        if origin is not None:
            wanted = wanted.where(DocumentTable.origin == origin)
        if container is not None:
            wanted = wanted.where(DocumentTable.container == container)
        if principal is not None:
            wanted = wanted.where(DocumentTable.id.in_(visible_to(principal)))
        with self._session() as session:
            return tuple(to_rows(session, session.scalars(wanted).all()))

    def known(self, ids: Iterable[str]) -> dict[str, DocumentRow]:
        """Of these documents those that are in, or failed; at most some hundreds at once."""
        with self._session() as session:
            found = session.scalars(select(DocumentTable).where(DocumentTable.id.in_(list(ids)))).all()
            return {row.id: row for row in to_rows(session, found)}

    def gone(self, origin: str, job_id: int) -> Iterator[DocumentRow]:
        """Documents of a synced source that a job's listing doesn't name, in pages; members go with their container."""
        listed = select(JobFileTable.source).where(JobFileTable.job_id == job_id, JobFileTable.action != "gone")
        last = ""
        while True:
            wanted = (
                select(DocumentTable)
                .where(
                    DocumentTable.origin == origin,
                    DocumentTable.container == "",
                    DocumentTable.id > last,
                    DocumentTable.source.not_in(listed),
                )
                .order_by(DocumentTable.id)
                .limit(500)
            )
            with self._session() as session:
                rows = to_rows(session, session.scalars(wanted).all())
            if not rows:
                return
            yield from rows
            last = rows[-1].id

    def count(self, origin: str) -> int:
        """How many files of a synced source are live, members of containers not counted."""
        wanted = select(func.count()).where(
            DocumentTable.origin == origin, DocumentTable.state == "live", DocumentTable.container == ""
        )
        with self._session() as session:
            return session.scalar(wanted) or 0

    def stale(self, current: Collection[str]) -> tuple[DocumentRow, ...]:
        """Live documents that something else than the current versions of parser and chunker made."""
        wanted = (
            select(DocumentTable)
            .where(DocumentTable.state == "live", DocumentTable.parser_version.not_in(current))
            .order_by(DocumentTable.collection, DocumentTable.source)
        )
        with self._session() as session:
            return tuple(to_rows(session, session.scalars(wanted).all()))

    def collections(self) -> tuple[str, ...]:
        """Names of the collections that ever held a document."""
        with self._session() as session:
            return tuple(session.scalars(select(CollectionTable.name).order_by(CollectionTable.name)))

    def uses(self, sha256: str) -> bool:
        """Whether any document's bytes have this hash, or had it in an earlier revision, so that they must be kept."""
        with self._session() as session:
            live = session.scalar(select(DocumentTable.id).where(DocumentTable.sha256 == sha256).limit(1))
            return live is not None or is_earlier(session, sha256)

    def needed(self) -> set[str]:
        """The hashes of all bytes that must be kept."""
        with self._session() as session:
            return {*session.scalars(select(DocumentTable.sha256)), *session.scalars(select(EarlierBytesTable.sha256))}

    def confirm(self, revisions: Iterable[tuple[str, int]], principal: Principal) -> set[tuple[str, int]]:
        """Of these (document id, revision) pairs those that are live and visible to the principal; one query.

        Pairs and not a mapping: while a document changes, the index may bring chunks of both revisions.
        """
        asked = set(revisions)
        if not asked:
            return set()
        wanted = select(DocumentTable.id, DocumentTable.revision).where(
            DocumentTable.id.in_({document for document, _ in asked}),
            DocumentTable.state == "live",
            DocumentTable.id.in_(visible_to(principal)),
        )
        with self._session() as session:
            return {(document, revision) for document, revision in session.execute(wanted)} & asked

    def visible(self, ids: Iterable[str], principal: Principal) -> set[str]:
        """Of these documents those that are live, at whatever revision, and visible to the principal; one query."""
        wanted = select(DocumentTable.id).where(
            DocumentTable.id.in_(list(ids)),
            DocumentTable.state == "live",
            DocumentTable.id.in_(visible_to(principal)),
        )
        with self._session() as session:
            return set(session.scalars(wanted))

    def next_revision(self, document_id: str) -> int:
        """A revision number that was never given out for this document before; from 1.

        The number is committed (and synced) before it is returned, so before any chunk can carry it. Whoever crashes
        after writing some chunks leaves a number that nobody gets again: those chunks belong to a revision that never
        becomes live, and the next `delete_document(keep_revision=…)` collects them. Removing a document keeps its
        counter for the same reason.
        """
        while True:
            try:
                with self._writing() as session:
                    # counted in the database, in one statement, so that two who ask at once get different numbers
                    counted = session.scalar(
                        update(RevisionTable)
                        .where(RevisionTable.document_id == document_id)
                        .values(last=RevisionTable.last + 1)
                        .returning(RevisionTable.last)
                    )
                    if counted is None:
                        session.add(RevisionTable(document_id=document_id, last=1))
                    return counted or 1
            except IntegrityError:
                # another process gave out the document's first number in between
                continue

    def commit_document(self, row: DocumentRow, *, replaces: str = "") -> DocumentRow:
        """Make `row.revision` the live one, with its groups, in one commit; what was live before no longer is.

        Groups that were changed by hand after the revision's number was given out stay as they were changed.

        `replaces` is the document that the file was before it was moved: it goes in the same commit.

        Call it after the index holds all of the revision's chunks and was flushed. Raises CatalogError for a revision
        that `next_revision` did not give out, or one older than the live one. Returns the row with its times.
        """
        now = datetime.now(UTC)
        with self._writing() as session:
            add_collection(session, row.collection, now)
            known = session.get(DocumentTable, row.id)
            given = session.get(RevisionTable, row.id)
            if given is None or not (known.revision if known else 0) < row.revision <= given.last:
                raise CatalogError(
                    f"Revision {row.revision} of {row.source} can't become live: it was not given out, or is not newer "
                    "than the live one; ingest the file again."
                )
            added = known.added if known and known.state == "live" else now
            groups = groups_to_keep(session, row)
            kept = replace(row, state="live", reason="", passing=False, groups=groups, added=added, changed=now)
            if known and known.sha256 and known.sha256 != row.sha256:
                keep_earlier(session, row.id, known.sha256)
            if replaces and replaces != row.id:
                take_over_earlier(session, replaces, row.id)
                _remove(session, replaces)
            session.merge(to_table(kept))
            replace_groups(session, row.id, kept.groups)
            note_revision(session, kept)
        return kept

    def record_failure(
        self,
        collection: str,
        source: str,
        reason: str,
        *,
        passing: bool = False,
        origin: str = "",
        fingerprint: str = "",
        container: str = "",
        parser_version: str = "",
    ) -> None:
        """Note why the newest version of a file is not in. A version that is live stays live.

        `passing`: whether the reason may pass by itself; `parser_version`: what could not read it, where another one
        could.
        """
        now = datetime.now(UTC)
        key = document_id(collection, source)
        with self._writing() as session:
            noted = session.execute(
                update(DocumentTable)
                .where(DocumentTable.id == key)
                .values(
                    reason=reason,
                    passing=passing,
                    origin=origin,
                    fingerprint=fingerprint,
                    container=container,
                    parser_version=case(
                        (DocumentTable.state == "live", DocumentTable.parser_version), else_=parser_version
                    ),
                )
            )
            if noted.rowcount:  # type: ignore[attr-defined]
                return
            add_collection(session, collection, now)
            session.flush()
            file_type = Path(source).suffix.lower().lstrip(".")[:32]
            row = DocumentRow(
                key, collection, source, 0, "", 0, Path(source).name, file_type, 0, frozenset(), state="failed",
                passing=passing, origin=origin, fingerprint=fingerprint, container=container,
                parser_version=parser_version,
            )  # fmt: skip
            session.add(to_table(replace(row, reason=reason, added=now, changed=now)))

    def clear_failure(self, document_id: str) -> None:
        """Forget the reason of a live document, whose file is again the one that is in."""
        with self._writing() as session:
            session.execute(
                update(DocumentTable)
                .where(DocumentTable.id == document_id, DocumentTable.state == "live", DocumentTable.reason != "")
                .values(reason="", passing=False)
            )

    def note_fingerprint(self, document_id: str, fingerprint: str, origin: str | None = None) -> None:
        """Keep what tells the file that is in from another version of it; `origin` where a synced source has it now."""
        values = {"fingerprint": fingerprint} | ({} if origin is None else {"origin": origin})
        with self._writing() as session:
            session.execute(update(DocumentTable).where(DocumentTable.id == document_id).values(**values))

    def release(self, origin: str) -> int:
        """Untie documents from a synced source that is no more; they stay in. Returns how many."""
        with self._writing() as session:
            done = session.execute(update(DocumentTable).where(DocumentTable.origin == origin).values(origin=""))
            return int(done.rowcount)  # type: ignore[attr-defined]

    def set_groups(self, document_id: str, groups: frozenset[str]) -> None:
        """Change who may see a document, at once; the index's copy of the groups follows."""
        if not self.access.change({document_id: groups}):
            raise CatalogError(f"There is no document {document_id}; `ragapp status` shows what is in.")

    def remove(self, document_id: str) -> bool:
        """Take a document out of sight, at once; its chunks may be deleted after. False where there was none."""
        with self._writing() as session:
            return _remove(session, document_id)

    def with_members(self, document_id: str) -> tuple[DocumentRow, ...]:
        """A document and all that lies in it, at any depth, itself first."""
        found = [row for row in [self.document(document_id)] if row]
        for row in found:
            found += self.documents(container=row.id)
        return tuple(found)

    def mark_stale(self, ids: Iterable[str]) -> None:
        """Have documents made anew from their originals by the next renewal of what is stale."""
        with self._writing() as session:
            for each in ids:
                session.execute(
                    update(DocumentTable)
                    .where(DocumentTable.id == each, ~DocumentTable.parser_version.endswith(_AGAIN))
                    .values(parser_version=DocumentTable.parser_version + _AGAIN)
                )

    def copy_to(self, target: Path) -> None:
        """A copy of the catalog as it stands at one moment, while others read and write."""
        with in_words(self._path):
            copy_database(self._path, target)

    def scrub(self) -> None:
        """Overwrite what was deleted: SQLite zeroes deleted rows, and its write-ahead log is emptied here."""
        with in_words(self._path), self._engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def totals(self) -> Totals:
        """Counts over all documents."""
        live = DocumentTable.state == "live"
        with self._session() as session:
            documents, chunks, size = session.execute(
                select(func.count(), func.sum(DocumentTable.chunks), func.sum(DocumentTable.size)).where(live)
            ).one()
            failed = session.scalar(select(func.count()).select_from(DocumentTable).where(DocumentTable.reason != ""))
        return Totals(documents, chunks or 0, size or 0, failed or 0)

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


def _remove(session: Session, document_id: str) -> bool:
    session.execute(delete(GroupTable).where(GroupTable.document_id == document_id))
    gone = session.execute(delete(DocumentTable).where(DocumentTable.id == document_id))
    return bool(gone.rowcount)  # type: ignore[attr-defined]
