"""The journal's tables, in SQLAlchemy Core. Changed only together with a new revision in ``migrations/versions``."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

NEWEST_VERSION = "0009"
"""The newest revision in ``migrations/versions``."""
version_table = Table("alembic_version", MetaData(), Column("version_num", String))
"""Alembic's own: the revision of the tables."""
metadata = MetaData()


class Money(TypeDecorator[Decimal]):
    """An exact amount, kept as a whole number of 10^-10 units: SQLite has no decimals, and sums must be exact.

    The scale is that of the finest price seen (xAI's cost ticks).
    """

    impl = BigInteger
    cache_ok = True
    SCALE = Decimal(10) ** 10

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value * self.SCALE)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else (Decimal(value) / self.SCALE).normalize()


jobs = Table(
    "jobs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("connection", String(64), nullable=False),
    Column("provider", String(32), nullable=False),
    Column("model", String(96), nullable=False),
    Column("mode", String(32), nullable=False),
    Column("request", JSON, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("owner", String(128), nullable=False, default=""),
    Column("task_id", String(256)),
    Column("result_url", Text),
    Column("file", Text),
    Column("estimate_usd", Money),
    Column("estimate_credits", Money),
    Column("billed_usd", Money),
    Column("error", Text),
    Column("error_kind", String(48)),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("submitted_at", Float),
    Column("finished_at", Float),
    Column("origin", String(300)),
    Index("jobs_by_wish", "fingerprint", "owner"),
    Index("jobs_by_state", "state"),
    Index("jobs_by_owner", "owner"),
    Index("jobs_by_task", "connection", "task_id"),
)

events = Table(
    "events",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("before", String(16)),
    Column("after", String(16), nullable=False),
    Column("note", Text),
)
"""Every step of every job, only ever added to: what happened, and when."""

uploads = Table(
    "uploads",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("store", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("key", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("expires_at", Float),
    Column("created_at", Float, nullable=False),
    Column("removed_at", Float),
    Column("pinned_at", Float),
    Index("uploads_by_content", "store", "sha256"),
)
"""What was uploaded where, until when its URL is good (None: for ever), and when a user was given that URL to keep."""

upload_uses = Table(
    "upload_uses",
    metadata,
    Column("upload", Integer, ForeignKey("uploads.number", ondelete="CASCADE"), primary_key=True),
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
)
"""Which jobs were sent an upload's URL: it may go when they are all final."""

archived = Table(
    "archived",
    metadata,
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("store", String(64), nullable=False),
    Column("key", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
)
"""Finished clips that lie in a shared bucket, for the other machines of this journal."""

encodings = Table(
    "encodings",
    metadata,
    Column("pixels", String(80), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("media_type", String(32), nullable=False),
    Column("size", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
)
"""What some pixels were encoded to, by the pixels' hash: the same picture need not be encoded again."""

ledger = Table(
    "ledger",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("at", Float, nullable=False),
    Column("counts_at", Float, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("held", Money, nullable=False),
    Column("spent", Money, nullable=False),
    Column("run", String(64), nullable=False, default=""),
    Index("ledger_by_job", "job_id"),
    Index("ledger_by_time", "counts_at"),
    Index("ledger_by_run", "run"),
)
"""By how much each step of a job changed what it holds back and what it has cost; only ever added to.

``counts_at`` is the moment that a charge, with its refunds and corrections, counts to.
"""

batches = Table(
    "batches",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(256), nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("max_usd", Money),
    Column("stopped_by", Text),
)
"""Lists of wishes that are made together. The same name again is the same batch, and goes on.

``max_usd`` and ``stopped_by`` are for workers, which share nothing else: what all rows may cost, and why none is taken.
"""

batch_rows = Table(
    "batch_rows",
    metadata,
    Column("batch", String(40), ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("number", Integer),
    Column("state", String(16), nullable=False),
    Column("connection", String(64), nullable=False),
    Column("fields", JSON, nullable=False),
    Column("estimate_usd", Money),
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="SET NULL")),
    Column("error", Text),
    Column("error_kind", String(48)),
    Column("worker", String(64)),
    Column("claimed_at", Float),
    Column("finished_at", Float),
    Index("batch_rows_by_state", "batch", "state", "number"),
    Index("batch_rows_by_job", "job_id"),
)
"""The wishes of a batch by their content. ``number`` is the place in the list as it was last read, None for a row that
is in it no more; ``worker`` is who took it, and ``claimed_at`` when that was last heard of."""

workflows = Table(
    "workflows",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
)
"""Workflows of ComfyUI as compressed JSON, each once, however many jobs came from it."""

shelved = Table(
    "shelved",
    metadata,
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("workflow", String(64), ForeignKey("workflows.sha256")),
    Column("removed_at", Float),
)
"""What the list of jobs knows of a job beside the job: its workflow, and that its user removed it. The job's own row
stays, since the ledger counts what was paid."""
