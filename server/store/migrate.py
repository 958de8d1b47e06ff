"""Bring a database to the newest schema: alembic, run by the program itself at open."""

from pathlib import Path
from typing import TextIO

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from server.errors import Unavailable

_SCRIPTS = Path(__file__).parent / "migrations"


def make_config(url: str | None = None, output: TextIO | None = None) -> Config:
    """Alembic's configuration without an ini file. ``output`` takes the SQL of offline mode."""
    config = Config(output_buffer=output)
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    if url is not None:
        config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def newest_revision() -> str:
    """The schema this program knows."""
    head = ScriptDirectory.from_config(make_config()).get_current_head()
    assert head is not None
    return head


def upgrade(connection: Connection) -> None:
    """Upgrade in the connection's own transaction. Raises Unavailable("store_newer") for a schema of the future."""
    config = make_config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise Unavailable("store_newer", f"the database was written by a newer version of Diemcau ({error})") from error
