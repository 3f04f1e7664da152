"""What Alembic runs to change the tables; `Database.migrate` hands it the connection."""

from __future__ import annotations

from alembic import context

from service.store.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
