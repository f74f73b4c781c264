"""The ledger: what each job reserves, is charged and gets back, stored in the transactions that change the job.

Every paid job has an account: ``held`` is reserved for a submit that is not accepted yet, ``spent`` was charged. Each
change of the job's state writes one entry that brings its account to :func:`target_balance`, so both always agree.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

from ..errors import OverBudget
from ..models import Job, JobState
from ..models.money import ZERO, Account, LedgerEntry, Limits, SpendSummary, Totals, dollars
from .schema import batches, jobs, ledger

T = TypeVar("T")
_STALE_SECONDS = 3600.0
"""After this time a prepared job that was not sent is considered abandoned, and its reservation is released. If its
run is still alive, the limits are checked again before its POST."""


def target_balance(job: Job) -> tuple[Decimal, Decimal]:
    """The amounts (held, spent) that a job's account must have in its current state.

    ``billed_usd`` is what the provider reported, or zero if it certainly charges nothing. If that is unknown (a failure
    at a provider that documents no refund, an unknown outcome), the estimate counts as spent.
    """
    estimate = job.estimate_usd or ZERO
    if job.state in (JobState.PREPARED, JobState.SUBMITTING):
        return estimate, ZERO
    return ZERO, estimate if job.billed_usd is None else job.billed_usd


def open_account(connection: sa.Connection, job: Job, run: str, limits: Limits, now: float) -> None:
    """Reserve a new job's estimate. Raises OverBudget if a limit would be exceeded; then the job is not stored."""
    _reserve(connection, job, Account(run=run), limits, now)


def settle_account(connection: sa.Connection, job: Job, limits: Limits, now: float) -> None:
    """Update the account after a job's state changed. Raises OverBudget, only before a POST."""
    account = read_account(connection, job.id)
    if account is None or job.state is JobState.PREPARED:
        return  # free (a sandbox, a task from elsewhere), or not sent yet and already reserved
    held, spent = target_balance(job)
    if job.state is JobState.SUBMITTING:
        if account.held < held:
            _reserve(connection, job, account, limits, now)
    elif (account.held, account.spent) != (held, spent):
        _write_entry(connection, job.id, account, held - account.held, spent - account.spent, now)


def renew_reservation(connection: sa.Connection, job: Job, run: str, limits: Limits, now: float) -> None:
    """Reserve the estimate of a PREPARED job again if it was released. Raises OverBudget."""
    account = read_account(connection, job.id)
    if account is not None and account.held < target_balance(job)[0]:
        _reserve(connection, job, account, limits, now)


def release(connection: sa.Connection, job_id: str, now: float) -> None:
    """Release what a PREPARED job has reserved."""
    account = read_account(connection, job_id)
    if account is not None and account.held:
        _write_entry(connection, job_id, account, -account.held, ZERO, now)


def read_account(connection: sa.Connection, job_id: str) -> Account | None:
    """The job's account, or None for a free job."""
    charged = sa.func.min(sa.case((ledger.c.spent > 0, ledger.c.counts_at)))
    sums = (_total(ledger.c.held), _total(ledger.c.spent), charged, sa.func.max(ledger.c.run), sa.func.count())
    row = connection.execute(sa.select(*sums).where(ledger.c.job_id == job_id)).one()
    return Account(row[0], row[1], row[2], row[3]) if row[4] else None


def read_spend(connection: sa.Connection, limits: Limits, now: float) -> SpendSummary:
    """Totals of today and this month, the limits, and the number of clips of unknown price this month."""
    month = month_start(now)
    unpriced = (
        sa.select(sa.func.count(sa.distinct(jobs.c.id)))
        .select_from(jobs.join(ledger))
        .where(
            jobs.c.estimate_usd.is_(None)
            & jobs.c.billed_usd.is_(None)
            & jobs.c.state.not_in([JobState.PREPARED.value, JobState.FAILED.value])
            & (ledger.c.at >= month)
        )
    )
    today = _read_totals(connection, ledger.c.counts_at >= day_start(now))
    count = int(connection.execute(unpriced).scalar_one())
    return SpendSummary(today, _read_totals(connection, ledger.c.counts_at >= month), limits, count)


def read_entries(connection: sa.Connection, where: sa.ColumnElement[bool], limit: int) -> list[LedgerEntry]:
    """Ledger entries, newest first."""
    columns = (ledger.c.job_id, ledger.c.at, ledger.c.kind, ledger.c.held, ledger.c.spent, jobs.c.connection)
    query = sa.select(*columns).select_from(ledger.join(jobs)).where(where).order_by(ledger.c.number.desc())
    return [LedgerEntry(*row) for row in connection.execute(query.limit(limit))]


def day_start(now: float) -> float:
    """The last local midnight, in Unix seconds."""
    return datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def month_start(now: float) -> float:
    """The month's first local midnight, in Unix seconds."""
    return datetime.fromtimestamp(now).replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()


# -- batches


def job_cost() -> sa.ColumnElement[Decimal]:
    """A job's cost: billed, else estimated; NULL if it was not sent."""
    return sa.case((jobs.c.state != JobState.PREPARED.value, sa.func.coalesce(jobs.c.billed_usd, jobs.c.estimate_usd)))


def batch_cost(connection: sa.Connection, batch: str) -> Decimal:
    """What all jobs of the batch have cost, in US dollars, also those of rows that are no longer in its list."""
    is_own = sa.func.substr(jobs.c.owner, 1, len(batch) + 1) == f"{batch}/"
    query = sa.select(sa.func.sum(job_cost(), type_=jobs.c.estimate_usd.type)).where(is_own)
    return connection.execute(query).scalar_one() or Decimal(0)


def check_batch_limit(connection: sa.Connection, job: Job) -> None:
    """Raise OverBudget if sending the job would exceed its batch's limit. No process can pass it, even with others."""
    batch, separator, _ = job.owner.partition("/")
    if not separator:
        return
    limit = connection.execute(sa.select(batches.c.max_usd).where(batches.c.id == batch)).scalar()
    if limit is None:
        return
    spent = batch_cost(connection, batch)
    if spent + (job.estimate_usd or 0) > limit:
        raise OverBudget(
            f"the limit of ${limit:f} is reached: {dollars(spent)} is spent or pending; the next row would exceed it"
        )


# -- inside


def _reserve(connection: sa.Connection, job: Job, account: Account, limits: Limits, now: float) -> None:
    """Reserve the estimate within the limits, in the caller's transaction, so that two jobs cannot both pass."""
    need = (job.estimate_usd or ZERO) - account.held
    if limits:
        if job.estimate_usd is None:
            raise OverBudget(
                f"You set a budget, but {job.connection} publishes no price for this clip, so the budget cannot be "
                "checked. Nothing was uploaded, sent or charged. In the settings of this connection, enter the price "
                'that you expect: "assumed_usd_per_second" or "assumed_usd_per_clip".'
            )
        _release_stale(connection, now)
        _check_limits(connection, need, account.run, limits, now)
    _write_entry(connection, job.id, account, need, ZERO, now)


def _check_limits(connection: sa.Connection, need: Decimal, run: str, limits: Limits, now: float) -> None:
    counts_at = ledger.c.counts_at
    spans: Iterable[tuple[str, Decimal | None, Callable[[], Totals]]] = (
        (
            "per run",
            limits.per_run,
            lambda: _read_totals(connection, ledger.c.run == run, run) if run else Totals(ZERO, ZERO),
        ),
        ("per day", limits.per_day, lambda: _read_totals(connection, counts_at >= day_start(now))),
        ("per month", limits.per_month, lambda: _read_totals(connection, counts_at >= month_start(now))),
    )
    faults: list[str] = []
    for span, limit, read in spans:
        if limit is None:
            continue
        used = read()
        if used.total + need > limit:
            faults.append(
                f"your limit is {dollars(limit)} {span}: {dollars(used.spent)} is spent and {dollars(used.pending)} "
                f"pending, which leaves {dollars(max(ZERO, limit - used.total))}"
            )
    if faults:
        raise OverBudget(
            f"Over budget: this clip costs about {dollars(need)}, and {'; '.join(faults)}. Nothing was uploaded, sent "
            'or charged. Raise the limit ("budget" in the settings), or wait; see: grok-imagine budget.'
        )


def _release_stale(connection: sa.Connection, now: float) -> None:
    """Release the reservations of PREPARED jobs that did not change for an hour: their runs died before the POST."""
    stale = (jobs.c.state == JobState.PREPARED.value) & (jobs.c.updated_at < now - _STALE_SECONDS)
    holding = sa.select(ledger.c.job_id).select_from(ledger.join(jobs)).where(stale).group_by(ledger.c.job_id)
    for job_id in connection.execute(holding.having(sa.func.sum(ledger.c.held) > 0)).scalars().all():
        release(connection, job_id, now)


def _write_entry(
    connection: sa.Connection, job_id: str, account: Account, held: Decimal, spent: Decimal, now: float
) -> None:
    # A refund or correction counts for the day of the charge. Otherwise a day's total could be negative.
    counts_at = account.charged_at if spent and account.charged_at is not None else now
    row = {"job_id": job_id, "at": now, "counts_at": counts_at, "held": held, "spent": spent, "run": account.run}
    connection.execute(ledger.insert().values(kind=_entry_kind(held, spent), **row))


def _entry_kind(held: Decimal, spent: Decimal) -> str:
    """The entry's name, only for display."""
    if spent:
        return "charge" if spent > 0 else "refund"
    return "estimate" if held >= 0 else "release"


def _read_totals(connection: sa.Connection, where: sa.ColumnElement[bool], run: str | None = None) -> Totals:
    """Charges of finished jobs within ``where``, and everything pending at any time, as that is still to be charged.

    A job that runs at the provider is pending, since its charge may be refunded.
    """
    is_open = jobs.c.state == JobState.SUBMITTED.value
    table = ledger.join(jobs)
    of_run = sa.true() if run is None else ledger.c.run == run
    settled = sa.select(_total(ledger.c.spent)).select_from(table).where(where & ~is_open)
    held = sa.select(_total(ledger.c.held)).select_from(table).where(of_run)
    running = sa.select(_total(ledger.c.spent)).select_from(table).where(of_run & is_open)
    spent, reserved, in_progress = (connection.execute(query).scalar_one() for query in (settled, held, running))
    return Totals(spent, reserved + in_progress)


def _total(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.type_coerce(sa.func.coalesce(sa.func.sum(sa.type_coerce(column, sa.BigInteger)), 0), ledger.c.held.type)


class TransactionRunner(Protocol):
    """Runs a function in one transaction of the journal."""

    def __call__(self, change: Callable[[sa.Connection], T], /) -> Awaitable[T]: ...


class Ledger:
    """Read access to the ledger of an open journal."""

    def __init__(self, work: TransactionRunner, limits: Limits, now: Callable[[], float] = time.time) -> None:
        self._run_transaction = work
        self._limits = limits
        self._now = now

    async def spend(self) -> SpendSummary:
        """What was spent today and this month, what is pending, and the limits."""

        def read(connection: sa.Connection) -> SpendSummary:
            return read_spend(connection, self._limits, self._now())

        return await self._run_transaction(read)

    async def entries(self, *, job_id: str | None = None, limit: int = 100) -> list[LedgerEntry]:
        """Entries of one job or of all, newest first."""
        where = sa.true() if job_id is None else ledger.c.job_id == job_id

        def read(connection: sa.Connection) -> list[LedgerEntry]:
            return read_entries(connection, where, limit)

        return await self._run_transaction(read)
