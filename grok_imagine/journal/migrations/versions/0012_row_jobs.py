"""A batch's row stores its job as soon as it has one; before, the job was found by its owner."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Store the newest job of each row that does not name one."""
    op.execute(
        "UPDATE batch_rows SET job_id = (SELECT id FROM jobs WHERE jobs.owner = batch_rows.batch || '/' || "
        "substr(batch_rows.key, 1, 24) ORDER BY created_at DESC LIMIT 1) WHERE job_id IS NULL"
    )
