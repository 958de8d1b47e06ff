"""Alembic's entry: over the connection it is handed, or offline (``upgrade(..., sql=True)`` prints the SQL)."""

from alembic import context

from server.store.tables import Base


def run() -> None:
    """SQLite cannot alter most things in place, hence batch mode; its DDL is transactional as long as we begin
    the transaction ourselves, so a migration that is killed half way leaves nothing behind."""
    context.configure(
        connection=context.config.attributes.get("connection"),
        url=None if "connection" in context.config.attributes else context.config.get_main_option("sqlalchemy.url"),
        target_metadata=Base.metadata,
        render_as_batch=True,
        transactional_ddl=True,
        literal_binds=context.is_offline_mode(),
    )
    with context.begin_transaction():
        context.run_migrations()


run()
