"""The archive: recordings, the words they are found by, how long they are kept, and how they ended."""

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.store.tables.base import Base, Id, Name, Prose, Time

_Word = String(40).with_variant(String(40, collation="C"), "postgresql")
"""Compared by code point in both databases: a prefix is a range."""


class RetentionClassRow(Base):
    """How long something is kept: calendar years, or days, or (neither) for ever. Names are data: the law changes."""

    __tablename__ = "retention_classes"

    class_id: Mapped[Id] = mapped_column(primary_key=True)
    name: Mapped[Name]
    years: Mapped[int | None]
    days: Mapped[int | None]
    position: Mapped[int]


class RecordingRow(Base):
    """A recording: the folder ``recording_id`` of the recordings folder. ``number`` keeps the index below small.

    No foreign keys to meeting and unit: an imported recording may come from another house, and a recording outlives
    what it speaks of. ``title_key`` is folded, for sorting. ``state``: recording, paused, closed, damaged, destroyed;
    ``film_state``: none, waiting, rendering, ready, failed. ``film_again``: one that is there
    is made anew. ``log_octets``: how long the log was when it was indexed.
    """

    __tablename__ = "recordings"
    __table_args__ = (
        Index(None, "meeting_id"),
        Index(None, "started_at"),
        Index(None, "title_key"),
        Index(None, "duration_s"),
        Index(None, "state"),
        Index(None, "film_state"),
        Index(None, "keep_until"),
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    recording_id: Mapped[Id] = mapped_column(unique=True)
    meeting_id: Mapped[Id]
    host_unit_id: Mapped[Id | None]
    title: Mapped[Name]
    title_key: Mapped[str] = mapped_column(String(900).with_variant(String(900, collation="C"), "postgresql"))
    host_agency: Mapped[Name]
    chair: Mapped[Name]
    started_at: Mapped[Time]
    ended_at: Mapped[Time | None]
    duration_s: Mapped[Time]
    endpoints: Mapped[int]
    octets: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(20))
    damage: Mapped[Prose]
    film_state: Mapped[str] = mapped_column(String(20))
    film_progress: Mapped[Time]
    film_detail: Mapped[Prose]
    film_tries: Mapped[int]
    film_due_at: Mapped[Time]
    film_again: Mapped[bool]
    retention_class: Mapped[Id] = mapped_column(ForeignKey("retention_classes.class_id"))
    keep_until: Mapped[Time | None]
    legal_hold: Mapped[bool]
    log_octets: Mapped[int] = mapped_column(BigInteger)


class RecordingOutlineRow(Base):
    """Chapters, speaking spans, gaps, chat and tracks as JSON, read from the log once."""

    __tablename__ = "recording_outlines"

    number: Mapped[int] = mapped_column(ForeignKey("recordings.number"), primary_key=True, autoincrement=False)
    outline: Mapped[Prose]


class RecordingLineRow(Base):
    """A line that a search shows. ``kind``: title, agency, person, endpoint, subject, chat. ``folded``: its words in
    lower case without diacritics, between blanks."""

    __tablename__ = "recording_lines"

    number: Mapped[int] = mapped_column(ForeignKey("recordings.number"), primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(10))
    at_s: Mapped[Time]
    text: Mapped[Prose]
    folded: Mapped[Prose]


class RecordingWordRow(Base):
    """The inverted index: which recording has which folded word in a line of which kind. ADR 0006 has the figures."""

    __tablename__ = "recording_words"
    __table_args__ = (Index(None, "number"), {"sqlite_with_rowid": False})

    word: Mapped[str] = mapped_column(_Word, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, ForeignKey("recordings.number"), primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)


class RecordingHoldRow(Base):
    """A legal hold: who placed it, when and why, and who lifted it. The newest one with ``lifted_at`` None holds."""

    __tablename__ = "recording_holds"
    __table_args__ = (Index(None, "number"),)

    hold_id: Mapped[Id] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(ForeignKey("recordings.number"))
    reason: Mapped[Prose]
    placed_at: Mapped[Time]
    placed_by: Mapped[Id]
    placed_by_name: Mapped[Name]
    lifted_at: Mapped[Time | None]
    lifted_by: Mapped[Id | None]
    lift_reason: Mapped[Prose]


class DestructionRow(Base):
    """A signed certificate (JSON). ``done_at`` None: the folder may still be there; the next start removes it."""

    __tablename__ = "recording_destructions"
    __table_args__ = (UniqueConstraint("recording_id"),)

    number: Mapped[int] = mapped_column(ForeignKey("recordings.number"), primary_key=True, autoincrement=False)
    recording_id: Mapped[Id]
    certificate: Mapped[Prose]
    done_at: Mapped[Time | None]
