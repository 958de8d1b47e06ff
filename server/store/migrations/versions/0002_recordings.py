"""The archive: recordings, their index, retention classes, holds and destructions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_CLASSES = (
    ("permanent", "Vĩnh viễn", None, None),
    ("years_70", "70 năm", 70, None),
    ("years_50", "50 năm", 50, None),
    ("years_20", "20 năm", 20, None),
    ("years_10", "10 năm", 10, None),
    ("years_5", "5 năm", 5, None),
    ("years_2", "2 năm", 2, None),
    ("days_70", "70 ngày", None, 70),
    ("days_30", "30 ngày", None, 30),
)
"""To begin with; a house changes its table."""


def upgrade() -> None:
    _create_classes()
    _create_recordings()
    _create_index()
    _create_keeping()


def _create_classes() -> None:
    classes = op.create_table(
        "retention_classes",
        sa.Column("class_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("years", sa.Integer(), nullable=True),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("class_id", name=op.f("pk_retention_classes")),
    )
    op.bulk_insert(
        classes,
        [
            {"class_id": class_id, "name": name, "years": years, "days": days, "position": position}
            for position, (class_id, name, years, days) in enumerate(_CLASSES)
        ],
    )


def _create_recordings() -> None:
    op.create_table(
        "recordings",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("recording_id", sa.String(length=40), nullable=False),
        sa.Column("meeting_id", sa.String(length=40), nullable=False),
        sa.Column("host_unit_id", sa.String(length=40), nullable=True),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("title_key", _by_code_point(900), nullable=False),
        sa.Column("host_agency", sa.String(length=300), nullable=False),
        sa.Column("chair", sa.String(length=300), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.Column("endpoints", sa.Integer(), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("damage", sa.Text(), nullable=False),
        sa.Column("film_state", sa.String(length=20), nullable=False),
        sa.Column("film_progress", sa.Double(), nullable=False),
        sa.Column("film_detail", sa.Text(), nullable=False),
        sa.Column("film_tries", sa.Integer(), nullable=False),
        sa.Column("film_due_at", sa.Double(), nullable=False),
        sa.Column("film_again", sa.Boolean(), nullable=False),
        sa.Column("retention_class", sa.String(length=40), nullable=False),
        sa.Column("keep_until", sa.Double(), nullable=True),
        sa.Column("legal_hold", sa.Boolean(), nullable=False),
        sa.Column("log_octets", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["retention_class"], ["retention_classes.class_id"], name=op.f("fk_recordings_retention_class")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_recordings")),
        sa.UniqueConstraint("recording_id", name=op.f("uq_recordings_recording_id")),
    )
    for column in ("meeting_id", "started_at", "title_key", "duration_s", "state", "film_state", "keep_until"):
        op.create_index(op.f(f"ix_recordings_{column}"), "recordings", [column])
    op.create_table(
        "recording_outlines",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("outline", sa.Text(), nullable=False),
        _of_a_recording("recording_outlines"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_recording_outlines")),
    )


def _create_index() -> None:
    op.create_table(
        "recording_lines",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        _of_a_recording("recording_lines"),
        sa.PrimaryKeyConstraint("number", "position", name=op.f("pk_recording_lines")),
    )
    op.create_table(
        "recording_words",
        sa.Column("word", _by_code_point(40), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        _of_a_recording("recording_words"),
        sa.PrimaryKeyConstraint("word", "number", "kind", name=op.f("pk_recording_words")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_recording_words_number"), "recording_words", ["number"])


def _create_keeping() -> None:
    op.create_table(
        "recording_holds",
        sa.Column("hold_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_at", sa.Double(), nullable=False),
        sa.Column("placed_by", sa.String(length=40), nullable=False),
        sa.Column("placed_by_name", sa.String(length=300), nullable=False),
        sa.Column("lifted_at", sa.Double(), nullable=True),
        sa.Column("lifted_by", sa.String(length=40), nullable=True),
        sa.Column("lift_reason", sa.Text(), nullable=False),
        _of_a_recording("recording_holds"),
        sa.PrimaryKeyConstraint("hold_id", name=op.f("pk_recording_holds")),
    )
    op.create_index(op.f("ix_recording_holds_number"), "recording_holds", ["number"])
    op.create_table(
        "recording_destructions",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("recording_id", sa.String(length=40), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("done_at", sa.Double(), nullable=True),
        _of_a_recording("recording_destructions"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_recording_destructions")),
        sa.UniqueConstraint("recording_id", name=op.f("uq_recording_destructions_recording_id")),
    )


def _by_code_point(length: int) -> sa.types.TypeEngine[str]:
    """SQLite compares so anyway."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _of_a_recording(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["number"], ["recordings.number"], name=op.f(f"fk_{table}_number"))
