"""Runs become jobs with the state of each file; documents know the synced source and the container they came from."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    # added in place: a table that Alembic copies and drops on SQLite takes along what refers to it
    op.add_column("documents", sa.Column("passing", sa.Boolean, nullable=False, server_default=sa.false()))
    for name, kind in (("origin", sa.String(200)), ("fingerprint", sa.Text), ("container", sa.String(36))):
        op.add_column("documents", sa.Column(name, kind, nullable=False, server_default=""))
    for name in ("origin", "container"):
        op.create_index(f"ix_documents_{name}", "documents", [name])
    op.rename_table("runs", "jobs")
    op.add_column("jobs", sa.Column("kind", sa.String(16), nullable=False, server_default="ingest"))
    op.add_column("jobs", sa.Column("origin", sa.String(200), nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("request", sa.Text, nullable=False, server_default="{}"))
    op.create_table(
        "job_files",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("job_id", sa.Integer, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("locator", sa.LargeBinary, nullable=False, server_default=sa.text("''")),
        sa.Column("fingerprint", sa.Text, nullable=False, server_default=""),
        sa.Column("size", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("groups", sa.Text),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False, server_default=""),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("passing", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("replaces", sa.String(36), nullable=False, server_default=""),
        sa.UniqueConstraint("job_id", "source"),
    )
    op.create_index("ix_job_files_state", "job_files", ["job_id", "state"])
    op.create_table(
        "job_attempts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("file_id", sa.Integer, sa.ForeignKey("job_files.id", ondelete="CASCADE"), nullable=False),
        sa.Column("ended", _TIME, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("ix_job_attempts_file_id", "job_attempts", ["file_id"])
    op.execute(
        "INSERT INTO job_files (job_id, source, action, state, outcome, reason) "
        "SELECT run_id, source, 'unreadable', 'failed', 'failed', MAX(reason) FROM run_failures GROUP BY run_id, source"
    )
    op.drop_table("run_failures")
    op.create_table(
        "origins",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("collection", sa.String(200), nullable=False),
        sa.Column("groups", sa.Text, nullable=False),
        sa.Column("rules", sa.Text, nullable=False),
        sa.Column("include", sa.Text, nullable=False),
        sa.Column("exclude", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
    )
    op.create_table(
        "group_changes",
        sa.Column("document_id", sa.String(36), primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("due", sa.Boolean, nullable=False),
    )
    op.create_index("ix_group_changes_due", "group_changes", ["due"])
    op.create_table(
        "earlier_bytes",
        sa.Column("document_id", sa.String(36), primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True),
    )
    op.create_index("ix_earlier_bytes_sha256", "earlier_bytes", ["sha256"])
    op.create_table(
        "removals",
        sa.Column("document_id", sa.String(36), primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True),
    )
