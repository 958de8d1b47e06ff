"""The organisation tree and its endpoints."""

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.store.tables.base import Base, Id, Name, Prose


class LevelRow(Base):
    """A named tier of government; ``rank`` 1 is the top. Names are data: the law changes them."""

    __tablename__ = "unit_levels"

    level_id: Mapped[Id] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column(unique=True)
    name: Mapped[Name]


class UnitRow(Base):
    """A node of the tree. ``position`` orders siblings; roots have no parent."""

    __tablename__ = "units"
    __table_args__ = (UniqueConstraint("parent_id", "name"),)

    unit_id: Mapped[Id] = mapped_column(primary_key=True)
    parent_id: Mapped[Id | None] = mapped_column(ForeignKey("units.unit_id"))
    level_id: Mapped[Id] = mapped_column(ForeignKey("unit_levels.level_id"))
    name: Mapped[Name]
    position: Mapped[int]


class EndpointRow(Base):
    __tablename__ = "endpoints"
    __table_args__ = (UniqueConstraint("unit_id", "name"),)

    endpoint_id: Mapped[Id] = mapped_column(primary_key=True)
    unit_id: Mapped[Id] = mapped_column(ForeignKey("units.unit_id"))
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[Name]
    notes: Mapped[Prose]
