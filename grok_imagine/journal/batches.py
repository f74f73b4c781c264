"""The journal's batches. Each step of a row is one transaction, so a process may die at any point."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ..errors import AuthRejected, JobFailed, OutOfCredit
from ..models import Job, JobState
from ..models.job import ABANDONED
from .batch_row import Row, RowState, row_from, values_of
from .job_rows import job_from_row
from .journal import Journal, OnClaim
from .ledger import batch_cost, job_cost
from .schema import batch_rows, batches, jobs

_PAGE = 200
_KEY_CHARACTERS = 24
_RETRIED_ERRORS = (AuthRejected.__name__, OutOfCredit.__name__)
"""Refusals that would hit every row: the batch stops, and its next run sends the rows again."""


@dataclass(frozen=True)
class Summary:
    """A batch's progress: the number of rows per state, and what the batch has cost so far in US dollars."""

    counts: Mapping[RowState, int]
    cost_usd: Decimal

    @property
    def total(self) -> int:
        """The number of rows."""
        return sum(self.counts.values())

    def count(self, *states: RowState) -> int:
        """The number of rows in any of ``states``."""
        return sum(self.counts.get(state, 0) for state in states)


@dataclass(frozen=True)
class BatchRef:
    """A stored batch. ``stopped_by`` says why workers take no more of its rows; empty if they do."""

    id: str
    stopped_by: str = ""


class Batches:
    """The batches of one journal."""

    def __init__(self, journal: Journal, now: Callable[[], float] = time.time) -> None:
        self._journal, self._now = journal, now

    async def save(
        self,
        name: str,
        rows: Sequence[Row],
        *,
        retry_failed: bool,
        max_usd: Decimal | None = None,
        enqueue: Callable[[sa.Connection, str], object] | None = None,
    ) -> str:
        """Store the list's current rows, keeping the state of known ones. Returns the batch's id.

        ``enqueue(connection, batch)`` queues the rows for workers in the same transaction; running rows then keep
        running. Without it, rows of an earlier run are reset to WAITING.
        """

        def change(connection: sa.Connection) -> str:
            reset_states = [RowState.STOPPED, RowState.UNKNOWN, *([RowState.FAILED] if retry_failed else [])]
            # The process that ran these has ended. If it has not, both find the same job.
            reset_states += [] if enqueue else [RowState.RUNNING]
            batch = self._save(connection, name, rows, reset_states)
            if retry_failed:
                _forget_failed_jobs(connection, batch)
            limits = {"max_usd": max_usd, "stopped_by": None}
            connection.execute(batches.update().where(batches.c.id == batch).values(**limits))
            if enqueue is not None:
                enqueue(connection, batch)
            return batch

        return await self._journal.transaction(change)

    async def find(self, name: str) -> BatchRef | None:
        """The batch of that name, or None."""
        query = sa.select(batches.c.id, batches.c.stopped_by).where(batches.c.name == name)
        row = await self._journal.transaction(lambda connection: connection.execute(query).first())
        return BatchRef(row.id, row.stopped_by or "") if row else None

    async def claim_row(self, batch: str, key: str, worker: str) -> Row | None:
        """Claim that row, also from a worker that died. None if it is final or its batch is stopped.

        A row whose job was sent is claimed even then, as resuming it costs nothing more. A row that would exceed the
        batch's spending limit stops the batch, in one transaction, so that two workers cannot exceed it together.
        """
        return await self._journal.transaction(lambda connection: self._claim_row(connection, batch, key, worker))

    def store_job(self, batch: str, row: Row) -> OnClaim:
        """For :meth:`Journal.claim`: stores the row's job in the row, in the same transaction.

        It raises JobFailed for a new job if the row's last one failed and no retry was asked for. The row may not show
        that yet: its process may have ended between storing the job's outcome and the row's.
        """

        def store(connection: sa.Connection, job: Job, is_new: bool) -> None:
            last = _read_job(connection, batch, row.key)
            is_failed = last is not None and last.state is JobState.FAILED
            if is_new and last and is_failed and last.error_kind not in (ABANDONED, *_RETRIED_ERRORS):
                raise JobFailed(last.error or "The job has failed", job_id=last.id, task_id=last.task_id)
            this_row = (batch_rows.c.batch == batch) & (batch_rows.c.key == row.key)
            connection.execute(batch_rows.update().where(this_row).values(job_id=job.id))

        return store

    async def find_job(self, batch: str, row: Row) -> Job | None:
        """The row's job, or None if it has none yet."""
        return await self._journal.transaction(lambda connection: _read_job(connection, batch, row.key))

    async def stop(self, batch: str, reason: str) -> None:
        """Stop workers from claiming rows of it, until it is saved again."""
        update = batches.update().where(batches.c.id == batch)
        await self._journal.transaction(lambda connection: connection.execute(update.values(stopped_by=reason)))

    async def claim(self, batch: str, worker: str) -> Row | None:
        """Claim the next waiting row; None if there is none or the batch is stopped. No two workers get the same row.

        As in :meth:`claim_row`, rows whose job was sent are claimed even then, and the spending limit is checked.
        """
        return await self._journal.transaction(lambda connection: self._claim(connection, batch, worker))

    async def save_state(self, batch: str, row: Row, state: RowState, **values: Any) -> None:
        """Store a row's state, and its error and error_kind if given."""
        columns = {"state": state.value, "worker": None, "error": None, "error_kind": None, **values}
        columns["finished_at"] = self._now() if state in (RowState.DONE, RowState.FAILED) else None
        where = (batch_rows.c.batch == batch) & (batch_rows.c.key == row.key)
        await self._journal.transaction(
            lambda connection: connection.execute(batch_rows.update().where(where).values(columns))
        )

    async def summary(self, batch: str) -> Summary:
        """Row counts and cost of the rows in the current list."""
        return await self._journal.transaction(lambda connection: _summary(connection, batch))

    async def rows(self, batch: str) -> AsyncIterator[Row]:
        """Iterate over the rows in list order, reading one page at a time."""
        after = -1
        while page := await self._journal.transaction(lambda connection, at=after: _read_page(connection, batch, at)):
            for row in page:
                yield row
            after = page[-1].number

    # -- in the journal's own thread

    def _save(self, connection: sa.Connection, name: str, rows: Sequence[Row], reset_states: Sequence[RowState]) -> str:
        now = self._now()
        batch = connection.execute(sa.select(batches.c.id).where(batches.c.name == name)).scalar_one_or_none()
        if batch is None:
            batch = time.strftime("batch-%Y%m%d-%H%M%S-", time.gmtime(now)) + secrets.token_hex(4)
            connection.execute(batches.insert().values(id=batch, name=name, created_at=now, updated_at=now))
        in_batch = batch_rows.c.batch == batch
        connection.execute(batches.update().where(batches.c.id == batch).values(updated_at=now))
        connection.execute(batch_rows.update().where(in_batch).values(number=None))
        known = set(connection.execute(sa.select(batch_rows.c.key).where(in_batch)).scalars())
        new_rows = [values_of(batch, row) for row in rows if row.key not in known]
        if new_rows:
            connection.execute(batch_rows.insert(), new_rows)
        if known_rows := [{"k": row.key, "n": row.number} for row in rows if row.key in known]:
            renumber = batch_rows.update().where(in_batch & (batch_rows.c.key == sa.bindparam("k")))
            connection.execute(renumber.values(number=sa.bindparam("n")), known_rows)
        to_reset = in_batch & batch_rows.c.state.in_([state.value for state in reset_states])
        connection.execute(batch_rows.update().where(to_reset).values(state=RowState.WAITING.value, worker=None))
        return str(batch)

    def _claim(self, connection: sa.Connection, batch: str, worker: str) -> Row | None:
        row = _next_waiting(connection, batch)
        if row is not None and not _may_run(connection, row):
            row = _next_waiting(connection, batch, only_sent=True)
        return None if row is None else self._mark_running(connection, row, worker)

    def _claim_row(self, connection: sa.Connection, batch: str, key: str, worker: str) -> Row | None:
        this_row = (batch_rows.c.batch == batch) & (batch_rows.c.key == key)
        row = connection.execute(batch_rows.select().where(this_row)).mappings().first()
        if row is None or row["number"] is None:
            return None
        if RowState(row["state"]) not in (RowState.WAITING, RowState.RUNNING, RowState.STOPPED):
            return None
        if not _may_run(connection, row):
            connection.execute(batch_rows.update().where(this_row).values(state=RowState.WAITING.value, worker=None))
            return None
        return self._mark_running(connection, row, worker)

    def _mark_running(self, connection: sa.Connection, row: Mapping[Any, Any], worker: str) -> Row:
        this_row = (batch_rows.c.batch == row["batch"]) & (batch_rows.c.key == row["key"])
        values = {"state": RowState.RUNNING.value, "worker": worker, "claimed_at": self._now()}
        connection.execute(batch_rows.update().where(this_row).values(values))
        return row_from(row)


def owner_of(batch: str, key: str) -> str:
    """The ``owner`` of a row's job. All that such jobs cost counts towards the batch's limit."""
    return f"{batch}/{key[:_KEY_CHARACTERS]}"


def _read_job(connection: sa.Connection, batch: str, key: str) -> Job | None:
    this_row = (batch_rows.c.batch == batch) & (batch_rows.c.key == key)
    found = connection.execute(sa.select(jobs).join(batch_rows, batch_rows.c.job_id == jobs.c.id).where(this_row))
    row = found.mappings().first()
    return None if row is None else job_from_row(row)


def _forget_failed_jobs(connection: sa.Connection, batch: str) -> None:
    """Let open rows whose jobs failed have new ones."""
    failed = sa.select(jobs.c.id).where(jobs.c.state == JobState.FAILED.value)
    is_open = (batch_rows.c.batch == batch) & (batch_rows.c.state == RowState.WAITING.value)
    connection.execute(batch_rows.update().where(is_open & batch_rows.c.job_id.in_(failed)).values(job_id=None))


def _was_sent() -> sa.ColumnElement[bool]:
    """Whether a row has a job that was sent and can be resumed at no further cost."""
    unsent_states = (JobState.PREPARED.value, JobState.FAILED.value)
    return sa.exists().where((jobs.c.id == batch_rows.c.job_id) & jobs.c.state.not_in(unsent_states))


def _next_waiting(connection: sa.Connection, batch: str, *, only_sent: bool = False) -> Mapping[Any, Any] | None:
    is_waiting = (batch_rows.c.batch == batch) & (batch_rows.c.state == RowState.WAITING.value)
    is_waiting &= batch_rows.c.number.is_not(None)
    query = batch_rows.select().where(is_waiting & _was_sent() if only_sent else is_waiting)
    query = query.order_by(batch_rows.c.number).limit(1).with_for_update(skip_locked=True)
    return connection.execute(query).mappings().first()


def _may_run(connection: sa.Connection, row: Mapping[Any, Any]) -> bool:
    """Whether the row may be claimed. If it would exceed the batch's limit, the batch is stopped."""
    this_row = (batch_rows.c.batch == row["batch"]) & (batch_rows.c.key == row["key"])
    if connection.execute(sa.select(batch_rows.c.key).where(this_row & _was_sent())).first() is not None:
        return True
    limit, reason = connection.execute(
        sa.select(batches.c.max_usd, batches.c.stopped_by).where(batches.c.id == row["batch"])
    ).one()
    if reason:
        return False
    if limit is None or _cost_of_others(connection, row) + (row["estimate_usd"] or 0) <= limit:
        return True
    reason = f"the limit of ${limit:f} is reached: the next row would exceed it"
    connection.execute(batches.update().where(batches.c.id == row["batch"]).values(stopped_by=reason))
    return False


def _cost_of_others(connection: sa.Connection, row: Mapping[Any, Any]) -> Decimal:
    """What the batch has cost, plus the estimates of other running rows whose jobs were not sent yet."""
    other = (batch_rows.c.batch == row["batch"]) & (batch_rows.c.key != row["key"])
    to_send = other & (batch_rows.c.state == RowState.RUNNING.value) & ~_was_sent()
    pending = sa.select(sa.func.sum(batch_rows.c.estimate_usd)).where(to_send)
    return batch_cost(connection, row["batch"]) + (connection.execute(pending).scalar_one() or Decimal(0))


def _summary(connection: sa.Connection, batch: str) -> Summary:
    in_list = (batch_rows.c.batch == batch) & batch_rows.c.number.is_not(None)
    counts = sa.select(batch_rows.c.state, sa.func.count()).where(in_list).group_by(batch_rows.c.state)
    counts_by_state = {RowState(state): int(count) for state, count in connection.execute(counts)}
    return Summary(counts_by_state, batch_cost(connection, batch))


def _read_page(connection: sa.Connection, batch: str, after: int) -> list[Row]:
    job_columns = (jobs.c.state.label("job_state"), jobs.c.task_id, jobs.c.file, jobs.c.submitted_at)
    ended = jobs.c.finished_at.label("job_finished_at")
    cost = sa.type_coerce(job_cost(), jobs.c.estimate_usd.type).label("cost_usd")
    table = batch_rows.outerjoin(jobs, batch_rows.c.job_id == jobs.c.id)
    query = sa.select(batch_rows, *job_columns, ended, cost).select_from(table)
    query = query.where((batch_rows.c.batch == batch) & (batch_rows.c.number > after))
    return [row_from(row) for row in connection.execute(query.order_by(batch_rows.c.number).limit(_PAGE)).mappings()]
