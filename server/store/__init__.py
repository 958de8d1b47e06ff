"""The database: tables, migrations, the room journal. What lies here survives a ``kill -9``."""
