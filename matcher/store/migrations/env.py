"""Runs the migrations on the connection that `Store.migrate` hands over; there is no ini file."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
