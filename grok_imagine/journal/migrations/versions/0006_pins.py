"""Pins: uploads whose URL a user was given stay while it is good."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column. Of older uploads nobody knows who asked for them; they are treated as those of jobs."""
    op.add_column("uploads", sa.Column("pinned_at", sa.Float))
