"""A meeting may be recorded from its first endpoint on."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("meetings", sa.Column("record", sa.Boolean(), nullable=False, server_default=sa.false()))
