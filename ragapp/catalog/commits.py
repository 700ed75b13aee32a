"""How documents appear, change and vanish: each by one commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import case, delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ragapp.catalog.groups import (
    Grant,
    groups_granted,
    groups_to_keep,
    keep_choice,
    move_choice,
    note_behind,
    show_what_lies_in,
)
from ragapp.catalog.listing import note_revision
from ragapp.catalog.mapping import add_collection, replace_groups, to_table
from ragapp.catalog.mentions import mark_gone
from ragapp.catalog.removals import keep_earlier, take_away, take_over_earlier
from ragapp.catalog.rows import DocumentRow
from ragapp.catalog.sessions import Sessions
from ragapp.catalog.tables import DocumentTable, GroupChangeTable, GroupTable, RevisionTable
from ragapp.errors import CatalogError
from ragapp.types import document_id

_AGAIN = ".again"
"""Behind a document's parser version: made by it, and to be made again."""


class RemovedMeanwhile(CatalogError):
    """A document was taken away, or begun anew by somebody else, while a first revision of it was on its way."""


class Commits:
    """Changes to the documents of one catalog."""

    def __init__(self, sessions: Sessions) -> None:
        self._writing = sessions.writing

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

    def commit_document(
        self, row: DocumentRow, *, replaces: str = "", loses: Sequence[str] = (), grant: Grant | None = None
    ) -> DocumentRow:
        """Make `row.revision` the live one, with its groups, in one commit; what was live before no longer is.

        `grant` says which groups these are now, `row.groups` which ones its chunks were written with, and what lies in
        it follows. Without a grant they are the row's, unless they were changed by hand after the revision's number was
        given out. A document of a synced source stays one where the row names none.

        `replaces` is the document that the file was before it was moved, `loses` what lay in it and does no more: they
        go in the same commit; of `loses` the rest is due then, as after `Removals.take_away`.

        Call it after the index holds all of the revision's chunks and was flushed. Raises RemovedMeanwhile where the
        document was taken away after the revision's number was given out, CatalogError for a revision that
        `next_revision` did not give out, or one older than the live one. Returns the row with its times.
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
            if not (known and known.revision) and row.revision < given.last:
                raise RemovedMeanwhile(f"{row.source} was taken away while it was being read; ingest it again.")
            added = known.added if known and known.state == "live" else now
            groups = groups_granted(session, grant) if grant else groups_to_keep(session, row)
            origin = row.origin or (known.origin if known else "")
            kept = replace(
                row, state="live", reason="", passing=False, groups=groups, origin=origin, added=added, changed=now
            )
            if known and known.sha256 and known.sha256 != row.sha256:
                keep_earlier(session, row.id, known.sha256)
            if replaces and replaces != row.id:
                take_over_earlier(session, replaces, row.id)
                move_choice(session, replaces, row.id)
                _remove(session, replaces)
            take_away(session, loses)
            session.merge(to_table(kept))
            replace_groups(session, row.id, kept.groups)
            if groups != row.groups:
                note_behind(session, row.id)
            if grant:
                show_what_lies_in(session, kept, grant.job or 0)
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

        `passing`: whether the reason may pass by itself; `origin`: the synced source whose file it is, where nothing is
        said as before; `parser_version`: what could not read it, where another one could.
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
                    origin=origin or DocumentTable.origin,
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

    def release(self, origin: str, ruled: Sequence[str] = ()) -> int:
        """Untie documents from a synced source that is no more; they stay in. Returns how many. `ruled`: those that a
        rule of the source's spoke of, whose groups count as chosen by hand from now on."""
        with self._writing() as session:
            for document in ruled:
                keep_choice(session, document)
            done = session.execute(update(DocumentTable).where(DocumentTable.origin == origin).values(origin=""))
            return int(done.rowcount)  # type: ignore[attr-defined]

    def remove(self, document_id: str) -> bool:
        """Take a document out of sight, at once; its chunks may be deleted after. False where there was none."""
        with self._writing() as session:
            return _remove(session, document_id)

    def mark_stale(self, ids: Iterable[str]) -> None:
        """Have documents made anew from their originals by the next renewal of what is stale."""
        with self._writing() as session:
            for each in ids:
                session.execute(
                    update(DocumentTable)
                    .where(DocumentTable.id == each, ~DocumentTable.parser_version.endswith(_AGAIN))
                    .values(parser_version=DocumentTable.parser_version + _AGAIN)
                )


def _remove(session: Session, document_id: str) -> bool:
    mark_gone(session, [document_id])
    session.execute(delete(GroupTable).where(GroupTable.document_id == document_id))
    session.execute(delete(GroupChangeTable).where(GroupChangeTable.document_id == document_id))
    gone = session.execute(delete(DocumentTable).where(DocumentTable.id == document_id))
    return bool(gone.rowcount)  # type: ignore[attr-defined]
