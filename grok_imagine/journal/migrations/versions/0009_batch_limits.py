"""What workers on several machines need to know of a batch: its limit of cost, and why it was stopped."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns. Older batches have no limit, and stop with the process that makes them."""
    op.add_column("batches", sa.Column("max_usd", sa.BigInteger))
    op.add_column("batches", sa.Column("stopped_by", sa.Text))
