"""Where a job was submitted: scheme, host and port of the base URL."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column. Of jobs that were made before it nobody can say."""
    op.add_column("jobs", sa.Column("origin", sa.String(300)))
