"""The journal's batches: rows taken one by one, each step in a transaction of its own, so that any of them may die."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any

import sqlalchemy as sa

from ..models import Blob, JobState
from .journal import Journal
from .schema import batch_rows, batches, jobs

_PAGE = 200


class RowState(str, Enum):
    """Where a row stands. DONE and FAILED are final; all others are gone on with when the batch runs again."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    """Its job is not over: it can be gone on with, and costs nothing more."""
    UNKNOWN = "unknown"
    """Nobody knows whether the provider took it. It is not sent again by itself."""


@dataclass(frozen=True)
class Row:
    """One wish. ``fields`` is what the list says of it, defaults included; ``key`` is its identity in the batch."""

    key: str
    number: int
    connection: str
    fields: Mapping[str, Any]
    estimate_usd: Decimal | None = None
    state: RowState = RowState.WAITING
    job_id: str | None = None
    error: str | None = None
    error_kind: str | None = None
    finished_at: float | None = None
    job: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of its job: state, task_id, file, submitted_at, finished_at, and cost_usd."""


@dataclass(frozen=True)
class Summary:
    """Where a batch stands: rows by state, and what they cost so far."""

    counts: Mapping[RowState, int]
    cost_usd: Decimal

    @property
    def total(self) -> int:
        """How many rows there are."""
        return sum(self.counts.values())

    def of(self, *states: RowState) -> int:
        """How many rows stand so."""
        return sum(self.counts.get(state, 0) for state in states)


@dataclass(frozen=True)
class BatchRef:
    """A batch that is in the journal. ``stopped_by`` says why workers take no more of its rows, if they do not."""

    id: str
    stopped_by: str = ""


class Batches:
    """The batches of one journal."""

    def __init__(self, journal: Journal, now: Callable[[], float] = time.time) -> None:
        self._journal, self._now = journal, now

    async def open(
        self,
        name: str,
        rows: Sequence[Row],
        *,
        retry_failed: bool,
        max_usd: Decimal | None = None,
        put: Callable[[sa.Connection, str], object] | None = None,
    ) -> str:
        """Write the list as it is now; what is known of its rows stays. Gives the batch's id.

        ``put(connection, batch)`` hands its rows to workers, in the same transaction; what they run goes on then.
        """

        def work(connection: sa.Connection) -> str:
            again = [RowState.STOPPED, RowState.UNKNOWN, *([RowState.FAILED] if retry_failed else [])]
            # Whoever ran these before runs no more; should it after all, the jobs still know that they are one.
            again += [] if put else [RowState.RUNNING]
            batch = self._open(connection, name, rows, again)
            limits = {"max_usd": max_usd, "stopped_by": None}
            connection.execute(batches.update().where(batches.c.id == batch).values(**limits))
            if put is not None:
                put(connection, batch)
            return batch

        return await self._journal.transaction(work)

    async def find(self, name: str) -> BatchRef | None:
        """The batch of that name; None where there is none."""
        query = sa.select(batches.c.id, batches.c.stopped_by).where(batches.c.name == name)
        row = await self._journal.transaction(lambda connection: connection.execute(query).first())
        return BatchRef(row.id, row.stopped_by or "") if row else None

    async def add_rows(self, batch: str, key: str, worker: str) -> Row | None:
        """Take that very row, also from a worker that died; None where it is settled or its batch is stopped.

        One whose job was sent is brought home all the same, as that costs nothing more; any other of a stopped batch
        waits. A row that would pass the batch's limit of cost stops it: in one transaction, so that no two workers
        pass it together.
        """
        return await self._journal.transaction(lambda connection: self._take(connection, batch, key, worker))

    async def stop(self, batch: str, why: str) -> None:
        """Let workers take no more rows of it, until it is opened again."""
        this = batches.update().where(batches.c.id == batch)
        await self._journal.transaction(lambda connection: connection.execute(this.values(stopped_by=why)))

    async def claim(self, batch: str, worker: str) -> Row | None:
        """Take the next row that waits; None when there is none. No two workers get the same."""
        return await self._journal.transaction(lambda connection: self._claim(connection, batch, worker))

    async def settle(self, batch: str, row: Row, state: RowState, **facts: Any) -> None:
        """Write where a row stands, with its job_id, error and error_kind."""
        values = {"state": state.value, "worker": None, "error": None, "error_kind": None, **facts}
        values["finished_at"] = self._now() if state in (RowState.DONE, RowState.FAILED) else None
        where = (batch_rows.c.batch == batch) & (batch_rows.c.key == row.key)
        await self._journal.transaction(
            lambda connection: connection.execute(batch_rows.update().where(where).values(values))
        )

    async def summary(self, batch: str) -> Summary:
        """Counts and cost of the rows that are in the list."""
        return await self._journal.transaction(lambda connection: _summary(connection, batch))

    async def rows(self, batch: str) -> AsyncIterator[Row]:
        """Every row of the list in its order, a page at a time."""
        after = -1
        while page := await self._journal.transaction(lambda connection, at=after: _page(connection, batch, at)):
            for row in page:
                yield row
            after = page[-1].number

    # -- in the journal's own thread

    def _open(self, connection: sa.Connection, name: str, rows: Sequence[Row], goes_on: Sequence[RowState]) -> str:
        now = self._now()
        batch = connection.execute(sa.select(batches.c.id).where(batches.c.name == name)).scalar_one_or_none()
        if batch is None:
            batch = time.strftime("batch-%Y%m%d-%H%M%S-", time.gmtime(now)) + secrets.token_hex(4)
            connection.execute(batches.insert().values(id=batch, name=name, created_at=now, updated_at=now))
        mine = batch_rows.c.batch == batch
        connection.execute(batches.update().where(batches.c.id == batch).values(updated_at=now))
        connection.execute(batch_rows.update().where(mine).values(number=None))
        known = set(connection.execute(sa.select(batch_rows.c.key).where(mine)).scalars())
        fresh = [_row(batch, row) for row in rows if row.key not in known]
        if fresh:
            connection.execute(batch_rows.insert(), fresh)
        if again := [{"k": row.key, "n": row.number} for row in rows if row.key in known]:
            placed = batch_rows.update().where(mine & (batch_rows.c.key == sa.bindparam("k")))
            connection.execute(placed.values(number=sa.bindparam("n")), again)
        left = mine & batch_rows.c.state.in_([state.value for state in goes_on])
        connection.execute(batch_rows.update().where(left).values(state=RowState.WAITING.value, worker=None))
        return str(batch)

    def _claim(self, connection: sa.Connection, batch: str, worker: str) -> Row | None:
        waits = (batch_rows.c.batch == batch) & (batch_rows.c.state == RowState.WAITING.value)
        waits &= batch_rows.c.number.is_not(None)
        query = (
            batch_rows.select().where(waits).order_by(batch_rows.c.number).limit(1).with_for_update(skip_locked=True)
        )
        found = connection.execute(query).mappings().first()
        return None if found is None else self._taken(connection, found, worker)

    def _take(self, connection: sa.Connection, batch: str, key: str, worker: str) -> Row | None:
        mine = batch_rows.c.batch == batch
        row = connection.execute(batch_rows.select().where(mine & (batch_rows.c.key == key))).mappings().first()
        whole = connection.execute(batches.select().where(batches.c.id == batch)).mappings().first()
        if row is None or whole is None or row["number"] is None:
            return None
        if RowState(row["state"]) not in (RowState.WAITING, RowState.RUNNING, RowState.STOPPED):
            return None
        if _was_sent(connection, batch, key):
            return self._taken(connection, row, worker)
        limit, why = whole["max_usd"], whole["stopped_by"]
        if not why and limit is not None and _others(connection, batch, key) + (row["estimate_usd"] or 0) > limit:
            why = f"the limit of ${limit:f} is reached: another row would pass it"
            connection.execute(batches.update().where(batches.c.id == batch).values(stopped_by=why))
        if why:
            this = (batch_rows.c.batch == batch) & (batch_rows.c.key == key)
            connection.execute(batch_rows.update().where(this).values(state=RowState.WAITING.value, worker=None))
            return None
        return self._taken(connection, row, worker)

    def _taken(self, connection: sa.Connection, row: Mapping[Any, Any], worker: str) -> Row:
        this = (batch_rows.c.batch == row["batch"]) & (batch_rows.c.key == row["key"])
        taken = {"state": RowState.RUNNING.value, "worker": worker, "claimed_at": self._now()}
        connection.execute(batch_rows.update().where(this).values(taken))
        return _read(row)


def owner_of(batch: str, key: str) -> str:
    """The owner of a row's job, by which it is found again."""
    return f"{batch}/{key[:24]}"


def _was_sent(connection: sa.Connection, batch: str, key: str) -> bool:
    over = (JobState.PREPARED.value, JobState.FAILED.value)
    sent = (jobs.c.owner == owner_of(batch, key)) & jobs.c.state.not_in(over)
    return connection.execute(sa.select(sa.literal(1)).where(sent).limit(1)).first() is not None


def _cost() -> sa.ColumnElement[Decimal]:
    """What a job took: as billed, else as estimated. One that was never accepted took nothing."""
    accepted = jobs.c.state.not_in(["prepared"]) & (jobs.c.task_id.is_not(None) | (jobs.c.state == "submitting"))
    return sa.case((jobs.c.billed_usd.is_not(None), jobs.c.billed_usd), (accepted, jobs.c.estimate_usd))


def _others(connection: sa.Connection, batch: str, key: str) -> Decimal:
    """What the batch's other rows have cost, and may cost where they are under way."""
    table = batch_rows.outerjoin(jobs, batch_rows.c.job_id == jobs.c.id)
    running = batch_rows.c.state == RowState.RUNNING.value
    cost = sa.case((running, batch_rows.c.estimate_usd), else_=_cost())
    where = (batch_rows.c.batch == batch) & (batch_rows.c.key != key)
    query = sa.select(sa.func.sum(cost, type_=jobs.c.estimate_usd.type)).select_from(table).where(where)
    return connection.execute(query).scalar_one() or Decimal(0)


def _summary(connection: sa.Connection, batch: str) -> Summary:
    mine = (batch_rows.c.batch == batch) & batch_rows.c.number.is_not(None)
    counts = sa.select(batch_rows.c.state, sa.func.count()).where(mine).group_by(batch_rows.c.state)
    found = {RowState(state): int(count) for state, count in connection.execute(counts)}
    table = batch_rows.join(jobs, batch_rows.c.job_id == jobs.c.id)
    spent = connection.execute(
        sa.select(sa.func.sum(_cost(), type_=jobs.c.estimate_usd.type)).select_from(table).where(mine)
    )
    return Summary(found, spent.scalar_one() or Decimal(0))


def _page(connection: sa.Connection, batch: str, after: int) -> list[Row]:
    facts = (jobs.c.state.label("job_state"), jobs.c.task_id, jobs.c.file, jobs.c.submitted_at)
    ended = jobs.c.finished_at.label("job_finished_at")
    cost = sa.type_coerce(_cost(), jobs.c.estimate_usd.type).label("cost_usd")
    table = batch_rows.outerjoin(jobs, batch_rows.c.job_id == jobs.c.id)
    query = sa.select(batch_rows, *facts, ended, cost).select_from(table)
    query = query.where((batch_rows.c.batch == batch) & (batch_rows.c.number > after))
    return [_read(row) for row in connection.execute(query.order_by(batch_rows.c.number).limit(_PAGE)).mappings()]


def _row(batch: str, row: Row) -> dict[str, Any]:
    return {
        "batch": batch,
        "key": row.key,
        "number": row.number,
        "state": RowState.WAITING.value,
        "connection": row.connection,
        "fields": json.loads(json.dumps(dict(row.fields), default=_name)),
        "estimate_usd": row.estimate_usd,
    }


def _name(value: Any) -> str:
    return f"sha256:{value.sha256}" if isinstance(value, Blob) else str(value)


def _read(row: Mapping[Any, Any]) -> Row:
    names = ("key", "number", "connection", "fields", "estimate_usd", "job_id", "error", "error_kind", "finished_at")
    about = {
        name: row[column]
        for name, column in (
            ("state", "job_state"),
            ("task_id", "task_id"),
            ("file", "file"),
            ("submitted_at", "submitted_at"),
            ("finished_at", "job_finished_at"),
            ("cost_usd", "cost_usd"),
        )
        if column in row
    }
    return Row(**{name: row[name] for name in names}, state=RowState(row["state"]), job=about)
