"""What Alembic runs on the connection it is given: every upgrade is one transaction of the caller."""

from __future__ import annotations

from alembic import context

from core.storage.schema import Base

_connection = context.config.attributes["connection"]
context.configure(
    connection=_connection,
    target_metadata=Base.metadata,
    # SQLite can change little of a table in place, so there a table is made anew and copied.
    render_as_batch=_connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
