"""What the company's sign-in provider last said of a person, and the sealed grant by which it is asked again."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "standings",
        sa.Column("person_id", sa.String(36), sa.ForeignKey("people.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("renewed", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sealed", sa.Text, nullable=False, server_default=""),
    )


def downgrade() -> None:
    op.drop_table("standings")
