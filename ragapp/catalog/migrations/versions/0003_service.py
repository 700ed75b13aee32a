"""People and what they may, conversations and answers, feedback, usage, and an audit that only grows."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TIME = sa.DateTime(timezone=True)
_ID = sa.String(36)
_NAME = sa.String(200)


def _of_person(**options: Any) -> sa.Column[str]:
    return sa.Column("person_id", _ID, sa.ForeignKey("people.id", ondelete="CASCADE"), **options)


def upgrade() -> None:
    _people()
    _doors()
    _talk()
    _records()


def _people() -> None:
    op.create_table(
        "people",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("name", _NAME, nullable=False, unique=True),
        sa.Column("display", _NAME, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, unique=True),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("signed_in", _TIME),
    )
    op.create_table(
        "memberships",
        _of_person(primary_key=True),
        sa.Column("group_name", _NAME, primary_key=True),
        sa.Column("given_by", sa.String(16), primary_key=True),
    )
    op.create_table(
        "named_groups", sa.Column("name", _NAME, primary_key=True), sa.Column("created", _TIME, nullable=False)
    )
    op.create_table("curators", _of_person(primary_key=True), sa.Column("collection", _NAME, primary_key=True))
    op.create_table(
        "collection_rules",
        sa.Column("collection", _NAME, primary_key=True),
        sa.Column("groups", sa.Text, nullable=False),
        sa.Column("title", _NAME, nullable=False),
    )


def _doors() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", _ID, primary_key=True),
        _of_person(nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("expires", _TIME),
        sa.Column("revoked", _TIME),
        sa.Column("used", _TIME),
    )
    op.create_index("ix_tokens_person_id", "tokens", ["person_id"])
    op.create_table(
        "sessions",
        sa.Column("hash", sa.String(64), primary_key=True),
        _of_person(nullable=False),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("expires", _TIME, nullable=False),
    )
    op.create_index("ix_sessions_person_id", "sessions", ["person_id"])
    op.create_table(
        "invites",
        sa.Column("hash", sa.String(64), primary_key=True),
        _of_person(),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("groups", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("expires", _TIME, nullable=False),
    )


def _talk() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", _ID, primary_key=True),
        _of_person(nullable=False),
        sa.Column("title", _NAME, nullable=False),
        sa.Column("collections", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("changed", _TIME, nullable=False),
    )
    op.create_index("ix_conversations_person", "conversations", ["person_id", "changed"])
    op.create_table(
        "answers",
        sa.Column("id", _ID, primary_key=True),
        _of_person(nullable=False),
        sa.Column("conversation_id", _ID, sa.ForeignKey("conversations.id", ondelete="CASCADE")),
        sa.Column("door", sa.String(16), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("ended", _TIME),
    )
    op.create_index("ix_answers_person", "answers", ["person_id", "created"])
    for column in ("conversation_id", "status", "created"):
        op.create_index(f"ix_answers_{column}", "answers", [column])
    op.create_table(
        "feedback",
        sa.Column("answer_id", _ID, sa.ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("good", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
    )
    op.create_table(
        "attachments",
        sa.Column("document_id", _ID, primary_key=True),
        sa.Column("conversation_id", _ID, nullable=False),
        sa.Column("expires", _TIME, nullable=False),
    )
    for column in ("conversation_id", "expires"):
        op.create_index(f"ix_attachments_{column}", "attachments", [column])


def _records() -> None:
    op.create_table(
        "usage",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("door", sa.String(16), nullable=False),
        sa.Column("collections", sa.Text, nullable=False),
        sa.Column("model", _NAME, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("prompt_tokens", sa.Integer, nullable=False),
        sa.Column("cached_tokens", sa.Integer, nullable=False),
        sa.Column("completion_tokens", sa.Integer, nullable=False),
        sa.Column("waited_s", sa.Double, nullable=False),
        sa.Column("first_token_s", sa.Double),
        sa.Column("total_s", sa.Double, nullable=False),
    )
    op.create_index("ix_usage_at", "usage", ["at"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
    )
    for column in ("at", "person_id"):
        op.create_index(f"ix_audit_{column}", "audit", [column])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_only_grows_{verb.lower()} BEFORE {verb} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit only grows'); END"
            )
