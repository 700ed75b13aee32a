"""The tables of the service: people and what they may, conversations, and what was asked, said and done."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from ragapp.catalog.tables import Table


class PersonTable(Table):
    """Somebody who signs in. `password` is an argon2 hash, empty for whoever signs in elsewhere (`subject`)."""

    __tablename__ = "people"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    display: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(16))
    password: Mapped[str]
    subject: Mapped[str | None] = mapped_column(unique=True)
    """Issuer and subject of an OpenID Connect account, joined by a space."""
    active: Mapped[bool]
    created: Mapped[datetime]
    signed_in: Mapped[datetime | None]


class MembershipTable(Table):
    """A person in a group; `given_by` is "local" or "oidc", so that one doesn't take away what the other gave."""

    __tablename__ = "memberships"

    person_id: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), primary_key=True)
    group: Mapped[str] = mapped_column("group_name", String(200), primary_key=True)
    given_by: Mapped[str] = mapped_column(String(16), primary_key=True)


class NamedGroupTable(Table):
    """A group that an admin made, whether or not a document or a person has it yet."""

    __tablename__ = "named_groups"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    created: Mapped[datetime]


class CuratorTable(Table):
    """A person who looks after a collection."""

    __tablename__ = "curators"

    person_id: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), primary_key=True)
    collection: Mapped[str] = mapped_column(String(200), primary_key=True)


class CollectionRuleTable(Table):
    """Who sees what is uploaded or synced into a collection, unless something else is said. JSON."""

    __tablename__ = "collection_rules"

    collection: Mapped[str] = mapped_column(String(200), primary_key=True)
    groups: Mapped[str]
    title: Mapped[str] = mapped_column(String(200))


class TokenTable(Table):
    """An API token, by the SHA-256 of its secret."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str]
    created: Mapped[datetime]
    expires: Mapped[datetime | None]
    revoked: Mapped[datetime | None]
    used: Mapped[datetime | None]


class SessionTable(Table):
    """A signed-in browser, by the SHA-256 of its cookie."""

    __tablename__ = "sessions"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime]
    expires: Mapped[datetime]


class StandingTable(Table):
    """What the company's provider last said of whoever signed in there. `sealed` is the grant by which it is asked
    again, encrypted by a key that is not in the catalog."""

    __tablename__ = "standings"

    person_id: Mapped[str] = mapped_column(String(36), ForeignKey("people.id", ondelete="CASCADE"), primary_key=True)
    renewed: Mapped[datetime]
    ended: Mapped[datetime | None]
    sealed: Mapped[str] = mapped_column(default="", server_default="")


class InviteTable(Table):
    """A link that works once: it makes an account, or gives one a new password. By the SHA-256 of its secret."""

    __tablename__ = "invites"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(16))
    groups: Mapped[str]
    created: Mapped[datetime]
    expires: Mapped[datetime]


class ConversationTable(Table):
    __tablename__ = "conversations"
    __table_args__ = (Index("ix_conversations_person", "person_id", "changed"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(200))
    collections: Mapped[str]
    """JSON; empty for all."""
    created: Mapped[datetime]
    changed: Mapped[datetime]


class AnswerTable(Table):
    """A question and what became of it. `record` is the answer as JSON, `events` what its reader was told, in order."""

    __tablename__ = "answers"
    __table_args__ = (Index("ix_answers_person", "person_id", "created"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"))
    conversation_id: Mapped[str | None] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    door: Mapped[str] = mapped_column(String(16))
    question: Mapped[str]
    status: Mapped[str] = mapped_column(String(16), index=True)
    reason: Mapped[str]
    record: Mapped[str]
    created: Mapped[datetime] = mapped_column(index=True)
    ended: Mapped[datetime | None]


class MentionTable(Table):
    """That an answer tells of a revision of a document, 0 where it names the document alone.

    `shown`: its asker was given words of it. `gone`: it was taken away, and is still to be erased in the record.
    """

    __tablename__ = "answer_mentions"
    __table_args__ = (Index("ix_answer_mentions_document", "document_id", "revision"),)

    answer_id: Mapped[str] = mapped_column(ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True)
    document_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    shown: Mapped[bool]
    gone: Mapped[bool] = mapped_column(index=True)


class FeedbackTable(Table):
    """What a person thought of an answer."""

    __tablename__ = "feedback"

    answer_id: Mapped[str] = mapped_column(ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True)
    good: Mapped[bool]
    reason: Mapped[str]
    created: Mapped[datetime]


class AttachmentTable(Table):
    """A document that belongs to one conversation, and goes with it or when its time is over."""

    __tablename__ = "attachments"

    document_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(String(36), index=True)
    name: Mapped[str] = mapped_column(default="", server_default="")
    expires: Mapped[datetime] = mapped_column(index=True)


class UsageTable(Table):
    """What one question cost; no text, so that it may be kept longer than the question."""

    __tablename__ = "usage"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    person_id: Mapped[str] = mapped_column(String(36))
    door: Mapped[str] = mapped_column(String(16))
    collections: Mapped[str]
    model: Mapped[str] = mapped_column(String(200))
    status: Mapped[str] = mapped_column(String(16))
    prompt_tokens: Mapped[int]
    cached_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    waited_s: Mapped[float]
    first_token_s: Mapped[float | None]
    total_s: Mapped[float]


class AuditTable(Table):
    """Who did what and when. Rows are added and never changed: the database refuses it."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    person_id: Mapped[str] = mapped_column(String(36), index=True)
    """Empty for nobody known. The name is looked up, so that removing a person's row makes it a bare number."""
    action: Mapped[str] = mapped_column(String(64))
    what: Mapped[str]
    detail: Mapped[str]
    request_id: Mapped[str] = mapped_column(String(64))
