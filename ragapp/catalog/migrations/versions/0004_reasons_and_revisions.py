"""Jobs say why they failed as a whole, attachments their names; what made each revision of a document is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # added in place: a batch would make the table anew, and drop what hangs on it
    op.add_column("jobs", sa.Column("reason", sa.Text, nullable=False, server_default=""))
    op.add_column("attachments", sa.Column("name", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "document_revisions",
        sa.Column("document_id", sa.String(36), sa.ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("parser_version", sa.String(32), nullable=False),
        sa.Column("file_type", sa.String(32), nullable=False),
    )
    op.execute(
        "INSERT INTO document_revisions (document_id, revision, sha256, parser_version, file_type) "
        "SELECT id, revision, sha256, parser_version, file_type FROM documents WHERE state = 'live'"
    )
