"""A journal's id and count of paid steps, by which an older copy is noticed; each clip's size and SHA-256."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the table with its row, and the columns. Clips of older jobs have no size and SHA-256."""
    table = op.create_table(
        "generation",
        sa.Column("journal", sa.String(32), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
    )
    op.bulk_insert(table, [{"journal": secrets.token_hex(16), "number": 0}])
    op.add_column("jobs", sa.Column("file_size", sa.BigInteger))
    op.add_column("jobs", sa.Column("file_sha256", sa.String(64)))
