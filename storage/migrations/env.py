"""Alembic's entry: runs the revisions over the connection that `upgrade` was given."""

from alembic import context

from storage.sql.tables_audit import metadata  # with all of the other tables

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
