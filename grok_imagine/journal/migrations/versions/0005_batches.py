"""Batches: lists of wishes, and where each of them stands."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "batches",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(256), nullable=False, unique=True),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
    op.create_table(
        "batch_rows",
        sa.Column("batch", sa.String(40), sa.ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("connection", sa.String(64), nullable=False),
        sa.Column("fields", sa.JSON, nullable=False),
        sa.Column("estimate_usd", sa.BigInteger),
        sa.Column("job_id", sa.String(40), sa.ForeignKey("jobs.id", ondelete="SET NULL")),
        sa.Column("error", sa.Text),
        sa.Column("error_kind", sa.String(48)),
        sa.Column("worker", sa.String(64)),
        sa.Column("claimed_at", sa.Float),
        sa.Column("finished_at", sa.Float),
    )
    op.create_index("batch_rows_by_state", "batch_rows", ["batch", "state", "number"])
    op.create_index("batch_rows_by_job", "batch_rows", ["job_id"])
    op.create_index("jobs_by_owner", "jobs", ["owner"])
