"""What Alembic runs: the migrations, on the connection that `worker.store.schema` hands over."""

from alembic import context
from sqlmodel import SQLModel

from worker.store import door_tables, ops_tables, tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata if tables.Workspace and door_tables.Source and ops_tables.Audit else None,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
