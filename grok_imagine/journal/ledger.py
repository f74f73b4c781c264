"""The ledger: what each job holds back, was charged and got back, in the same transactions that move the job.

For every job that costs money there is an account: ``held`` is set aside for a submit that has not been accepted yet,
``spent`` was charged. Each change of the job's state writes the one entry that brings its account to where
:func:`target` says it belongs, so the two can never tell different stories.
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
from .schema import jobs, ledger

T = TypeVar("T")
_STALE_SECONDS = 3600.0
"""A job that was prepared and not sent for so long belongs to a run that died. Its money is free again; should the
run be alive after all, it has to pass the limits once more before its POST."""


def target(job: Job) -> tuple[Decimal, Decimal]:
    """What a job that stands where it does must hold and have spent.

    ``billed_usd`` is what the provider said, or zero where it certainly takes nothing. Where nobody knows (a failure
    at a provider that documents no refund, an outcome that stayed unknown) the estimate counts as spent.
    """
    estimate = job.estimate_usd or ZERO
    if job.state in (JobState.PREPARED, JobState.SUBMITTING):
        return estimate, ZERO
    return ZERO, estimate if job.billed_usd is None else job.billed_usd


def open_account(connection: sa.Connection, job: Job, run: str, limits: Limits, now: float) -> None:
    """Set a new job's estimate aside. Raises OverBudget when a limit would be passed; then the job is not written."""
    _reserve(connection, job, Account(run=run), limits, now)


def follow(connection: sa.Connection, job: Job, limits: Limits, now: float) -> None:
    """Bring the account of a job that has just been moved to where it belongs. Raises OverBudget before a POST."""
    account = read_account(connection, job.id)
    if account is None or job.state is JobState.PREPARED:
        return  # free (a sandbox, a task from elsewhere); or about to be sent, and what is held stays so
    held, spent = target(job)
    if job.state is JobState.SUBMITTING:
        if account.held < held:
            _reserve(connection, job, account, limits, now)
    elif (account.held, account.spent) != (held, spent):
        _write(connection, job.id, account, held - account.held, spent - account.spent, now)


def reserve_again(connection: sa.Connection, job: Job, run: str, limits: Limits, now: float) -> None:
    """For a PREPARED job that is found again: set its estimate aside, if that was given up. Raises OverBudget."""
    account = read_account(connection, job.id)
    if account is not None and account.held < target(job)[0]:
        _reserve(connection, job, account, limits, now)


def release(connection: sa.Connection, job_id: str, now: float) -> None:
    """Nobody goes on with a PREPARED job for now: what it holds is free again."""
    account = read_account(connection, job_id)
    if account is not None and account.held:
        _write(connection, job_id, account, -account.held, ZERO, now)


def read_account(connection: sa.Connection, job_id: str) -> Account | None:
    """The job's account; None for a job that costs nothing."""
    charged = sa.func.min(sa.case((ledger.c.spent > 0, ledger.c.counts_at)))
    sums = (_total(ledger.c.held), _total(ledger.c.spent), charged, sa.func.max(ledger.c.run), sa.func.count())
    row = connection.execute(sa.select(*sums).where(ledger.c.job_id == job_id)).one()
    return Account(row[0], row[1], row[2], row[3]) if row[4] else None


def read_spend(connection: sa.Connection, limits: Limits, now: float) -> SpendSummary:
    """Where the money stands now."""
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
    today = _sum(connection, ledger.c.counts_at >= day_start(now))
    count = int(connection.execute(unpriced).scalar_one())
    return SpendSummary(today, _sum(connection, ledger.c.counts_at >= month), limits, count)


def read_entries(connection: sa.Connection, where: sa.ColumnElement[bool], limit: int) -> list[LedgerEntry]:
    """Lines of the ledger, newest first."""
    columns = (ledger.c.job_id, ledger.c.at, ledger.c.kind, ledger.c.held, ledger.c.spent, jobs.c.connection)
    query = sa.select(*columns).select_from(ledger.join(jobs)).where(where).order_by(ledger.c.number.desc())
    return [LedgerEntry(*row) for row in connection.execute(query.limit(limit))]


def day_start(now: float) -> float:
    """The last midnight of the local clock."""
    return datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def month_start(now: float) -> float:
    """The first midnight of the month, of the local clock."""
    return datetime.fromtimestamp(now).replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()


# -- inside


def _reserve(connection: sa.Connection, job: Job, account: Account, limits: Limits, now: float) -> None:
    """Set the estimate aside, within the limits: read and written in one transaction, so that two cannot both pass."""
    need = (job.estimate_usd or ZERO) - account.held
    if limits:
        if job.estimate_usd is None:
            raise OverBudget(
                f"A budget is set, but the price of this clip is not known (connection {job.connection}), so the "
                "budget cannot be kept. Nothing was uploaded, sent or charged. State in the settings what you expect "
                f'to pay: "assumed_usd_per_second" or "assumed_usd_per_clip" of the connection {job.connection}.'
            )
        _let_go_of_the_dead(connection, now)
        _check(connection, need, account.run, limits, now)
    _write(connection, job.id, account, need, ZERO, now)


def _check(connection: sa.Connection, need: Decimal, run: str, limits: Limits, now: float) -> None:
    everything = ledger.c.counts_at
    spans: Iterable[tuple[str, Decimal | None, Callable[[], Totals]]] = (
        ("a run", limits.per_run, lambda: _sum(connection, ledger.c.run == run, run) if run else Totals(ZERO, ZERO)),
        ("a day", limits.per_day, lambda: _sum(connection, everything >= day_start(now))),
        ("a month", limits.per_month, lambda: _sum(connection, everything >= month_start(now))),
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


def _let_go_of_the_dead(connection: sa.Connection, now: float) -> None:
    """Free what PREPARED jobs hold that nobody has touched for long: their runs were killed before the POST."""
    stale = (jobs.c.state == JobState.PREPARED.value) & (jobs.c.updated_at < now - _STALE_SECONDS)
    holding = sa.select(ledger.c.job_id).select_from(ledger.join(jobs)).where(stale).group_by(ledger.c.job_id)
    for job_id in connection.execute(holding.having(sa.func.sum(ledger.c.held) > 0)).scalars().all():
        release(connection, job_id, now)


def _write(connection: sa.Connection, job_id: str, account: Account, held: Decimal, spent: Decimal, now: float) -> None:
    # A refund or a correction belongs to the day of the charge; else a day's sum could fall below zero.
    counts_at = account.charged_at if spent and account.charged_at is not None else now
    row = {"job_id": job_id, "at": now, "counts_at": counts_at, "held": held, "spent": spent, "run": account.run}
    connection.execute(ledger.insert().values(kind=_kind(held, spent), **row))


def _kind(held: Decimal, spent: Decimal) -> str:
    """The entry's name, for people; the amounts are what counts."""
    if spent:
        return "charge" if spent > 0 else "refund"
    return "estimate" if held >= 0 else "release"


def _sum(connection: sa.Connection, where: sa.ColumnElement[bool], run: str | None = None) -> Totals:
    """What is settled within ``where``, and all that is pending, whenever it was asked for: it will be charged yet.

    A job that runs at the provider is pending: its charge may come back.
    """
    is_open = jobs.c.state == JobState.SUBMITTED.value
    table = ledger.join(jobs)
    own = sa.true() if run is None else ledger.c.run == run
    settled = sa.select(_total(ledger.c.spent)).select_from(table).where(where & ~is_open)
    held = sa.select(_total(ledger.c.held)).select_from(table).where(own)
    running = sa.select(_total(ledger.c.spent)).select_from(table).where(own & is_open)
    spent, waiting, flying = (connection.execute(query).scalar_one() for query in (settled, held, running))
    return Totals(spent, waiting + flying)


def _total(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.type_coerce(sa.func.coalesce(sa.func.sum(sa.type_coerce(column, sa.BigInteger)), 0), ledger.c.held.type)


class TransactionRunner(Protocol):
    """Runs a change in one transaction of the journal."""

    def __call__(self, change: Callable[[sa.Connection], T], /) -> Awaitable[T]: ...


class Ledger:
    """The ledger of an open journal, to be read."""

    def __init__(self, work: TransactionRunner, limits: Limits, now: Callable[[], float] = time.time) -> None:
        self._work = work
        self._limits = limits
        self._now = now

    async def spend(self) -> SpendSummary:
        """Today, this month, what is pending, and the limits."""

        def read(connection: sa.Connection) -> SpendSummary:
            return read_spend(connection, self._limits, self._now())

        return await self._work(read)

    async def entries(self, *, job_id: str | None = None, limit: int = 100) -> list[LedgerEntry]:
        """The newest lines first; of one job, or of all."""
        where = sa.true() if job_id is None else ledger.c.job_id == job_id

        def read(connection: sa.Connection) -> list[LedgerEntry]:
            return read_entries(connection, where, limit)

        return await self._work(read)
