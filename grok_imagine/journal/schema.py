"""The journal's tables, in SQLAlchemy Core. Every change needs a new revision in ``migrations/versions``."""

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

NEWEST_VERSION = "0012"
"""The newest revision in ``migrations/versions``."""
version_table = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""Alembic's table: the revision of the schema."""
metadata = MetaData()


class Money(TypeDecorator[Decimal]):
    """An exact amount, stored as an integer in units of 10^-10, since SQLite has no decimals and sums must be exact.

    The scale is that of the smallest price unit known (xAI's cost ticks).
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
    Column("file_size", BigInteger),
    Column("file_sha256", String(64)),
    Index("jobs_by_wish", "fingerprint", "owner"),
    Index("jobs_by_state", "state"),
    Index("jobs_by_owner", "owner"),
    Index("jobs_by_task", "connection", "task_id"),
)

generation = Table(
    "generation",
    metadata,
    Column("journal", String(32), primary_key=True),
    Column("number", Integer, nullable=False),
)
"""One row: the journal's random id, and how many paid steps it has stored. See :mod:`.durability.generation`."""

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
"""Every change of every job's state, append-only."""

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
"""Uploads, when their URLs expire (None: never), and when a URL was handed to the user (``pinned_at``)."""

upload_uses = Table(
    "upload_uses",
    metadata,
    Column("upload", Integer, ForeignKey("uploads.number", ondelete="CASCADE"), primary_key=True),
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
)
"""Which jobs use an upload. It may be deleted when all of them are final."""

archived = Table(
    "archived",
    metadata,
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("store", String(64), nullable=False),
    Column("key", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
)
"""Finished clips stored in a shared bucket for the other machines of this journal."""

encodings = Table(
    "encodings",
    metadata,
    Column("pixels", String(80), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("media_type", String(32), nullable=False),
    Column("size", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
)
"""Encoded images by the hash of their pixels, so that the same image is not encoded again."""

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
"""Changes of what each job has reserved (``held``) and cost (``spent``), append-only.

``counts_at`` is the time of the charge; its refunds and corrections have the same one.
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
"""Batches of requests. Running the same name again resumes the batch.

``max_usd`` is the spending limit for all rows and ``stopped_by`` why workers take no more of them.
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
"""The rows of a batch by their content. ``number`` is the position in the current list, None for a row that is no
longer in it; ``worker`` has claimed the row at ``claimed_at``."""

workflows = Table(
    "workflows",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
)
"""ComfyUI workflows as compressed JSON, each stored once."""

job_users = Table(
    "job_users",
    metadata,
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("user", String(300), primary_key=True),
    Index("job_users_by_user", "user"),
)
"""The users of a host to whom a job belongs. Most hosts have one user, and then there is no row."""

shelved = Table(
    "shelved",
    metadata,
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("workflow", String(64), ForeignKey("workflows.sha256")),
    Column("removed_at", Float),
)
"""A job's workflow, and when its user removed it from the list. The job's own row stays, since the ledger needs it."""
