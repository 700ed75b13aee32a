"""Removals: rows go in one commit, and what is left of the documents elsewhere is noted until it is gone."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from ragapp.catalog.mentions import mark_earlier_gone, mark_gone
from ragapp.catalog.sessions import Sessions
from ragapp.catalog.tables import (
    DocumentRevisionTable,
    DocumentTable,
    EarlierBytesTable,
    GroupChangeTable,
    GroupTable,
    RemovalTable,
    RevisionTable,
)

_PAGE = 500


class Removals:
    """Removals from one catalog."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def take_away(self, ids: Sequence[str]) -> int:
        """Take documents out of sight, at once, in one commit; their chunks and bytes are due. Returns how many.

        Each takes a number of its own, so that what was begun before it can be told from what is begun after.
        """
        with self._sessions.writing() as session:
            return take_away(session, ids)

    def take_earlier_away(self, ids: Sequence[str]) -> int:
        """Take the revisions before the live one of these documents away, at once, in one commit; their chunks, bytes
        and texts, and what answers keep of them, are due. Returns how many documents had some. The live one stays."""
        with self._sessions.writing() as session:
            return sum(_take_earlier_away(session, document) for document in ids)

    def due(self) -> tuple[tuple[str, str], ...]:
        """(document id, SHA-256 or nothing) of what was removed, or had its bytes replaced, and may have left some."""
        with self._sessions.reading() as session:
            return tuple(
                (document, sha256)
                for document, sha256 in session.execute(select(RemovalTable.document_id, RemovalTable.sha256))
            )

    def newest(self, ids: Sequence[str]) -> dict[str, int]:
        """The last revision number that was given out for each of these documents, or taken by its removal."""
        wanted = select(RevisionTable.document_id, RevisionTable.last).where(RevisionTable.document_id.in_(ids))
        with self._sessions.reading() as session:
            return dict(session.execute(wanted).tuples().all())

    def settle(self, done: Sequence[tuple[str, str]]) -> None:
        """Nothing is left of these."""
        with self._sessions.writing() as session:
            for document, sha256 in done:
                session.execute(
                    delete(RemovalTable).where(RemovalTable.document_id == document, RemovalTable.sha256 == sha256)
                )


def take_away(session: Session, ids: Sequence[str]) -> int:
    """`Removals.take_away` as part of a larger commit."""
    gone = 0
    for start in range(0, len(ids), _PAGE):
        page = ids[start : start + _PAGE]
        wanted = select(DocumentTable.id, DocumentTable.sha256).where(DocumentTable.id.in_(page))
        for document, sha256 in session.execute(wanted).all():
            note_leftover(session, document, sha256)
        earlier = select(EarlierBytesTable.document_id, EarlierBytesTable.sha256)
        for document, sha256 in session.execute(earlier.where(EarlierBytesTable.document_id.in_(page))).all():
            note_leftover(session, document, sha256)
        session.execute(
            update(RevisionTable).where(RevisionTable.document_id.in_(page)).values(last=RevisionTable.last + 1)
        )
        session.execute(delete(EarlierBytesTable).where(EarlierBytesTable.document_id.in_(page)))
        mark_gone(session, page)
        session.execute(delete(GroupTable).where(GroupTable.document_id.in_(page)))
        session.execute(delete(GroupChangeTable).where(GroupChangeTable.document_id.in_(page)))
        done = session.execute(delete(DocumentTable).where(DocumentTable.id.in_(page)))
        gone += int(done.rowcount)  # type: ignore[attr-defined]
    return gone


def _take_earlier_away(session: Session, document_id: str) -> bool:
    row = session.get(DocumentTable, document_id)
    if row is None or row.state != "live":
        return False
    bytes_of = select(EarlierBytesTable.sha256).where(EarlierBytesTable.document_id == document_id)
    earlier = session.scalars(bytes_of).all()
    # its own bytes too: an older parser may have left another text of them
    for sha256 in {*earlier, row.sha256}:
        note_leftover(session, document_id, sha256)
    session.execute(delete(EarlierBytesTable).where(EarlierBytesTable.document_id == document_id))
    revisions = delete(DocumentRevisionTable).where(
        DocumentRevisionTable.document_id == document_id, DocumentRevisionTable.revision != row.revision
    )
    gone = session.execute(revisions).rowcount  # type: ignore[attr-defined]
    mark_earlier_gone(session, document_id, row.revision)
    return bool(earlier or gone)


def keep_earlier(session: Session, document_id: str, sha256: str) -> None:
    """Keep the bytes of a revision that is live no longer, since earlier answers point into them."""
    session.merge(EarlierBytesTable(document_id=document_id, sha256=sha256))


def take_over_earlier(session: Session, old: str, new: str) -> None:
    """A document that was moved brings its earlier revisions' bytes along."""
    wanted = select(EarlierBytesTable.sha256).where(EarlierBytesTable.document_id == old)
    for sha256 in session.scalars(wanted).all():
        keep_earlier(session, new, sha256)
    session.execute(delete(EarlierBytesTable).where(EarlierBytesTable.document_id == old))


def is_earlier(session: Session, sha256: str) -> bool:
    """Whether a revision before a live one had these bytes."""
    wanted = select(EarlierBytesTable.document_id).where(EarlierBytesTable.sha256 == sha256).limit(1)
    return session.scalar(wanted) is not None


def note_leftover(session: Session, document_id: str, sha256: str) -> None:
    """Note that a document's chunks, or these bytes, may be needed no more."""
    session.merge(RemovalTable(document_id=document_id, sha256=sha256))
