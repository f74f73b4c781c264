"""Which users of a host a job belongs to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the table. Older jobs belong to nobody."""
    job = sa.ForeignKey("jobs.id", ondelete="CASCADE")
    op.create_table(
        "job_users",
        sa.Column("job_id", sa.String(40), job, primary_key=True),
        sa.Column("user", sa.String(300), primary_key=True),
    )
    op.create_index("job_users_by_user", "job_users", ["user"])
