"""Which documents are in, and who may see them: what is asked of the catalog."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from sqlalchemy import func, select

from ragapp.catalog import added_texts
from ragapp.catalog.mapping import to_rows, visible_to
from ragapp.catalog.removals import is_earlier
from ragapp.catalog.rows import DocumentRow, DocumentState, Totals
from ragapp.catalog.sessions import Sessions
from ragapp.catalog.tables import (
    CollectionTable,
    DocumentRevisionTable,
    DocumentTable,
    EarlierBytesTable,
    JobFileTable,
)
from ragapp.types import Principal, document_id


class Documents:
    """The documents of one catalog as they are looked up."""

    def __init__(self, sessions: Sessions) -> None:
        self._session = sessions.reading

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

    def astray(self, origin: str) -> tuple[DocumentRow, ...]:
        """Documents of a synced source that lie in one that is not in: what a run left that broke off before it."""
        containers = select(DocumentTable.id)
        wanted = select(DocumentTable).where(
            DocumentTable.origin == origin,
            DocumentTable.container != "",
            DocumentTable.container.not_in(containers),
        )
        with self._session() as session:
            return tuple(to_rows(session, session.scalars(wanted).all()))

    def count(self, origin: str) -> int:
        """How many files of a synced source are live, members of containers not counted."""
        wanted = select(func.count()).where(
            DocumentTable.origin == origin, DocumentTable.state == "live", DocumentTable.container == ""
        )
        with self._session() as session:
            return session.scalar(wanted) or 0

    def stale(self, current: Collection[str]) -> tuple[DocumentRow, ...]:
        """Live documents that something else than the current versions of parser and chunker made.

        Texts that a program added are what they are: nothing parsed them, and read as files they would lose their
        metadata.
        """
        wanted = (
            select(DocumentTable)
            .where(
                DocumentTable.state == "live",
                DocumentTable.parser != added_texts.PARSER,
                DocumentTable.parser_version.not_in(current),
            )
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

    def users_but_for(self, sha256: str, but_for: Collection[str]) -> set[str]:
        """The documents that have these bytes now, or had them earlier, not counting what these had earlier."""
        live = select(DocumentTable.id).where(DocumentTable.sha256 == sha256)
        earlier = select(EarlierBytesTable.document_id).where(EarlierBytesTable.sha256 == sha256)
        with self._session() as session:
            return set(session.scalars(live)) | (set(session.scalars(earlier)) - set(but_for))

    def texts_needed(self, sha256: str) -> set[str]:
        """The parser versions whose text of these bytes a live document, or a kept revision of one, rests on."""
        live = select(DocumentTable.parser_version).where(DocumentTable.sha256 == sha256)
        kept = select(DocumentRevisionTable.parser_version).where(DocumentRevisionTable.sha256 == sha256)
        with self._session() as session:
            # behind the dot stand the chunker's version and a mark that it is to be made again
            return {version.split(".")[0] for version in (*session.scalars(live), *session.scalars(kept))}

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

    def with_members(self, document_id: str) -> tuple[DocumentRow, ...]:
        """A document and all that lies in it, at any depth, itself first."""
        found = [row for row in [self.document(document_id)] if row]
        for row in found:
            found += self.documents(container=row.id)
        return tuple(found)

    def totals(self) -> Totals:
        """Counts over all documents."""
        live = DocumentTable.state == "live"
        with self._session() as session:
            documents, chunks, size = session.execute(
                select(func.count(), func.sum(DocumentTable.chunks), func.sum(DocumentTable.size)).where(live)
            ).one()
            failed = session.scalar(select(func.count()).select_from(DocumentTable).where(DocumentTable.reason != ""))
        return Totals(documents, chunks or 0, size or 0, failed or 0)
