"""The ledger: what jobs hold back, were charged and got back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table. Jobs that were made before it have no account: nobody can say now what they cost."""
    op.create_table(
        "ledger",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("job_id", sa.String(40), sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("counts_at", sa.Float, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("run", sa.String(64), nullable=False),
    )
    op.create_index("ledger_by_job", "ledger", ["job_id"])
    op.create_index("ledger_by_time", "ledger", ["counts_at"])
    op.create_index("ledger_by_run", "ledger", ["run"])
