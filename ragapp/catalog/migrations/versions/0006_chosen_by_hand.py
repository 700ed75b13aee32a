"""Which documents' groups were chosen by hand, which no run widens; jobs say how many they left so."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("group_changes", sa.Column("by_hand", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("kept", sa.Integer, nullable=False, server_default="0"))
    # What was changed before didn't note by whom. Taken for chosen by hand, it is shown to nobody more; a source's
    # documents follow its rules, what lies in a container follows it, and a mark without revision and job only says
    # that the index is behind.
    op.execute(
        "UPDATE group_changes SET by_hand = true WHERE (revision > 0 OR job > 0) AND document_id IN "
        "(SELECT id FROM documents WHERE origin = '' AND container = '')"
    )


def downgrade() -> None:
    op.drop_column("jobs", "kept")
    op.drop_column("group_changes", "by_hand")
