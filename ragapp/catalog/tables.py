"""The catalog's tables. A change here needs a migration in migrations/versions, and its id in VERSIONS."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcTime(TypeDecorator[datetime]):
    """A time with its zone, stored in UTC; databases without zones give it back with one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Table(DeclarativeBase):
    type_annotation_map = {datetime: UtcTime, str: Text}  # noqa: RUF012


class CollectionTable(Table):
    __tablename__ = "collections"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    created: Mapped[datetime]


class DocumentTable(Table):
    """A document and its live revision. `reason` is why its newest version is not in, if it isn't."""

    __tablename__ = "documents"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    collection: Mapped[str] = mapped_column(ForeignKey("collections.name"), index=True)
    source: Mapped[str]
    revision: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), index=True)
    reason: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int] = mapped_column(BigInteger)
    file_type: Mapped[str] = mapped_column(String(32))
    title: Mapped[str]
    modified: Mapped[datetime | None]
    dated: Mapped[datetime | None]
    parser: Mapped[str] = mapped_column(String(64))
    parser_version: Mapped[str] = mapped_column(String(64))
    language: Mapped[str | None] = mapped_column(String(16))
    pages: Mapped[int | None]
    chunks: Mapped[int]
    passing: Mapped[bool]
    origin: Mapped[str] = mapped_column(String(200), index=True)
    fingerprint: Mapped[str]
    container: Mapped[str] = mapped_column(String(36), index=True)
    added: Mapped[datetime]
    changed: Mapped[datetime]


class GroupTable(Table):
    """Who may see a document."""

    __tablename__ = "document_groups"

    document_id: Mapped[str] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)
    group: Mapped[str] = mapped_column("group_name", String(200), primary_key=True, index=True)


class RevisionTable(Table):
    """The last revision number given out for a document; outlives the document, so that none is given twice."""

    __tablename__ = "revisions"

    document_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    last: Mapped[int]


class JobTable(Table):
    """One run of something that changes what is in. `request` is what was asked, as JSON, so that it can be resumed."""

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    origin: Mapped[str] = mapped_column(String(200))
    request: Mapped[str]
    command: Mapped[str]
    process: Mapped[str] = mapped_column(String(128))
    started: Mapped[datetime]
    ended: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(16))
    added: Mapped[int]
    changed: Mapped[int]
    unchanged: Mapped[int]
    removed: Mapped[int]
    failed: Mapped[int]
    chunks: Mapped[int]
    seconds: Mapped[float]
    reason: Mapped[str] = mapped_column(default="", server_default="")
    kept: Mapped[int] = mapped_column(default=0, server_default="0")
    """Documents that it was to show to others, and that are shown as was chosen by hand."""


class JobFileTable(Table):
    """What a job means to do with one file (`action`), and what became of it (`state`, `outcome`)."""

    __tablename__ = "job_files"
    __table_args__ = (UniqueConstraint("job_id", "source"), Index("ix_job_files_state", "job_id", "state"))

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    source: Mapped[str]
    locator: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    """Where the file is found again: a path's own bytes, or a store's key."""
    fingerprint: Mapped[str] = mapped_column(default="")
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    groups: Mapped[str | None]
    """JSON; None where the source says nothing about this file."""
    action: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    outcome: Mapped[str] = mapped_column(String(16), default="")
    reason: Mapped[str] = mapped_column(default="")
    passing: Mapped[bool] = mapped_column(default=False)
    replaces: Mapped[str] = mapped_column(String(36), default="")


class JobAttemptTable(Table):
    """One try of one file."""

    __tablename__ = "job_attempts"

    id: Mapped[int] = mapped_column(primary_key=True)
    file_id: Mapped[int] = mapped_column(ForeignKey("job_files.id", ondelete="CASCADE"), index=True)
    ended: Mapped[datetime]
    outcome: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str]


class OriginTable(Table):
    """A source that is synced, by the name that an admin gave it. Lists are JSON."""

    __tablename__ = "origins"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    url: Mapped[str]
    collection: Mapped[str] = mapped_column(String(200))
    groups: Mapped[str]
    rules: Mapped[str]
    include: Mapped[str]
    exclude: Mapped[str]
    created: Mapped[datetime]


class GroupChangeTable(Table):
    """Groups of a document that were changed by hand. `due`: the index's copy has not followed yet.

    `revision` is the last number given out before the change: an ingestion that holds it, or an older one, read the
    groups before the change and must not put them back. Nor must a job that was asked for before it: `job` is the
    newest one then, or the one that changed them. `by_hand`: chosen for this document, not by a source or a run; no
    run shows it to more than were chosen.
    """

    __tablename__ = "group_changes"

    document_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    revision: Mapped[int]
    due: Mapped[bool] = mapped_column(index=True)
    job: Mapped[int] = mapped_column(default=0, server_default="0")
    by_hand: Mapped[bool] = mapped_column(default=False, server_default=false())


class EarlierBytesTable(Table):
    """Bytes of revisions before the live one, which earlier answers point into: kept until the document is removed."""

    __tablename__ = "earlier_bytes"

    document_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)


class DocumentRevisionTable(Table):
    """The bytes and the parser of a revision that is or was live, so that what cites it can be shown."""

    __tablename__ = "document_revisions"

    document_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True
    )
    revision: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    parser_version: Mapped[str] = mapped_column(String(32))
    file_type: Mapped[str] = mapped_column(String(32))


class RemovalTable(Table):
    """A document that was removed, or whose bytes were replaced: what is left of it may be there still."""

    __tablename__ = "removals"

    document_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Of the bytes that may be needed no more."""


class MetaTable(Table):
    """Facts about the data folder as a whole, such as its embedding model."""

    __tablename__ = "meta"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str]
