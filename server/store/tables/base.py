"""What all tables share. Only types that mean the same in SQLite and PostgreSQL are used.

Ids are ``server.ids`` strings, times are Unix seconds as doubles (the ``now`` of the whole house).
"""

from typing import Annotated

from sqlalchemy import Double, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, mapped_column

Id = Annotated[str, mapped_column(String(40))]
Name = Annotated[str, mapped_column(String(300))]
Prose = Annotated[str, mapped_column(Text)]
Time = Annotated[float, mapped_column(Double)]


class Base(DeclarativeBase):
    """Constraints get names, or a later migration could not drop them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
