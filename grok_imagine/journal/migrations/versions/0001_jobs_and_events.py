"""The first schema: jobs, and the events that led each where it stands."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("connection", sa.String(64), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("model", sa.String(96), nullable=False),
        sa.Column("mode", sa.String(32), nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("task_id", sa.String(256)),
        sa.Column("result_url", sa.Text),
        sa.Column("file", sa.Text),
        sa.Column("estimate_usd", sa.BigInteger),
        sa.Column("estimate_credits", sa.BigInteger),
        sa.Column("billed_usd", sa.BigInteger),
        sa.Column("error", sa.Text),
        sa.Column("error_kind", sa.String(48)),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.Column("submitted_at", sa.Float),
        sa.Column("finished_at", sa.Float),
    )
    op.create_index("jobs_by_wish", "jobs", ["fingerprint", "owner"])
    op.create_index("jobs_by_state", "jobs", ["state"])
    op.create_index("jobs_by_task", "jobs", ["connection", "task_id"])
    op.create_table(
        "events",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("job_id", sa.String(40), sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("before", sa.String(16)),
        sa.Column("after", sa.String(16), nullable=False),
        sa.Column("note", sa.Text),
    )
    op.create_index("ix_events_job_id", "events", ["job_id"])
