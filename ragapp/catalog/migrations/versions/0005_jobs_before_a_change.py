"""Which jobs were asked for before a change of groups, and must not put the old ones back."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("group_changes", sa.Column("job", sa.Integer, nullable=False, server_default="0"))
