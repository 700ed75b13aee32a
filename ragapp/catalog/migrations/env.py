"""Run by Alembic for every migration: on the connection that migrate.py hands over."""

from alembic import context

from ragapp.catalog.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    # SQLite can't alter tables in place: Alembic copies them
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
