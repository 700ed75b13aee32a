"""Which revisions of which documents an answer tells of; what answers kept of documents that are no more is due."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "answer_mentions",
        sa.Column("answer_id", sa.String(36), sa.ForeignKey("answers.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("document_id", sa.String(36), primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True),
        sa.Column("shown", sa.Boolean, nullable=False),
        sa.Column("gone", sa.Boolean, nullable=False),
    )
    op.create_index("ix_answer_mentions_document", "answer_mentions", ["document_id", "revision"])
    op.create_index("ix_answer_mentions_gone", "answer_mentions", ["gone"])
    _note_what_is_kept()


def downgrade() -> None:
    op.drop_table("answer_mentions")


def _note_what_is_kept() -> None:
    connection = op.get_bind()
    live = set(connection.execute(sa.text("SELECT id FROM documents WHERE state = 'live'")).scalars())
    known = set(connection.execute(sa.text("SELECT document_id, revision FROM document_revisions")).tuples())
    note = sa.text(
        "INSERT INTO answer_mentions (answer_id, document_id, revision, shown, gone) "
        "VALUES (:answer_id, :document_id, :revision, :shown, :gone)"
    )
    rests_on: dict[str, set[tuple[str, int]]] = {}
    answers = sa.text("SELECT id, conversation_id FROM answers ORDER BY conversation_id, created, id")
    for answer, conversation in connection.execute(answers).all():
        # one at a time: each holds the passages of a whole prompt
        kept = connection.execute(sa.text("SELECT record FROM answers WHERE id = :id"), {"id": answer}).scalar_one()
        record: dict[str, Any] = json.loads(kept)
        if not record.get("fields"):
            continue
        shown, rests, named = _told(record)
        if conversation:
            # a follow-up's prompt held the passages of the turns before it
            rests = rests | rests_on.get(conversation, set())
            rests_on[conversation] = rests
        record["rests_on"] = sorted(rests)
        connection.execute(
            sa.text("UPDATE answers SET record = :record WHERE id = :id"),
            {"id": answer, "record": json.dumps(record, ensure_ascii=False, separators=(",", ":"))},
        )
        for told in sorted(shown | rests | named):
            gone = told not in known and not (told[1] == 0 and told[0] in live)
            row = {"answer_id": answer, "document_id": told[0], "revision": told[1], "shown": told in shown}
            connection.execute(note, row | {"gone": gone})


def _told(record: dict[str, Any]) -> tuple[set[tuple[str, int]], set[tuple[str, int]], set[tuple[str, int]]]:
    """What an answer showed, what it rests on, and what it only names, as (document id, revision, 0 if unknown)."""
    fields, turn = record["fields"], record.get("turn") or {}
    cited = {(each["document_id"], each["revision"]) for each in fields.get("citations", ())}
    shown = cited | {(each["document_id"], each["revision"]) for each in fields.get("passages", ())}
    rests = cited | {(each["document_id"], each["revision"]) for each in turn.get("passages", ())}
    prompted = {document for document, _ in rests}
    rests |= {(document, 0) for document in record.get("prompted", ()) if document not in prompted}
    return shown, rests, {(document, 0) for document in record.get("nearest_ids", ()) if document}
