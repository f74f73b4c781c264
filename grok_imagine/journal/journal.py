"""Reads and writes the journal: SQLite in WAL mode or PostgreSQL, through SQLAlchemy Core, in one thread.

Every change of state is a compare-and-swap in one durable transaction (``synchronous=FULL``). If two processes try the
same change, one of them gets JobConflict.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError

from ..errors import JournalError
from ..models import TRANSITIONS, Job, JobState
from ..models.money import Limits
from . import database, ledger
from .db_thread import DatabaseThread
from .durability.disk_reserve import AnswerReserve, DiskReserve
from .durability.generation import JournalGuard
from .durability.recovery_hints import CHECK_SERVER, DamagedError, hint_for, is_full
from .job_rows import FURTHEST, NEWEST, is_current, job_from_row, row_of
from .ledger import Ledger
from .schema import events, jobs

T = TypeVar("T")
OnClaim = Callable[[sa.Connection, Job, bool], None]
"""Called in the transaction of :meth:`Journal.claim` with the job, and whether it is new. It may raise to undo that."""
_PAID_STEPS = (JobState.SUBMITTING, JobState.SUBMITTED)
_NO_ERROR = {"error": None, "error_kind": None}
_FAULTS = (SQLAlchemyError, sqlite3.Error, OSError, ValueError, KeyError)


class JobConflict(JournalError):
    """Another process or task has already changed the job's state."""


class Journal:
    """The journal of one data folder or PostgreSQL database. ``async with Journal(folder) as journal: …``"""

    def __init__(
        self,
        folder: Path,
        now: Callable[[], float] = time.time,
        *,
        database_url: SecretStr | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.place = database.database_location(folder, database_url)
        self._reserve = DiskReserve(folder) if self.place.file else None
        self._guard = JournalGuard(self.place.file) if self.place.file else None
        self._answers = AnswerReserve(folder)
        self._has_answers = False
        """Whether a task id was stored in the reserve and may not be in the journal yet."""
        self._now = now
        self._limits = limits or Limits()
        self.ledger = Ledger(self.transaction, self._limits, now)
        self._thread = DatabaseThread("grok-imagine-journal")
        self._engine: sa.Engine | None = None

    async def __aenter__(self) -> Journal:
        try:
            await self._run(self._open)
        except BaseException:
            await self._thread.stop(self._close)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._thread.stop(self._close)

    async def add(self, job: Job) -> Job:
        """Store a new job. Raises JournalError if that fails; then nothing may be submitted."""
        return await self._run(self._add, job)

    async def claim(
        self, job: Job, *, run: str | None = None, older: Sequence[str] = (), on_claim: OnClaim | None = None
    ) -> Job:
        """The job with the same fingerprint that has not failed, whoever asked for it; else stores and returns ``job``.

        ``older`` are its fingerprints by earlier formulas. A job that was not sent yet gets the owner of ``job``, who
        will send it: so it counts towards the limit of that owner's batch.

        This is one transaction, so of two processes with equal requests one creates the job and the other finds it.
        It also reserves the job's estimate in the budget. ``run`` groups jobs for the limit per run; None means that
        the job is free. Raises OverBudget; then nothing is stored.
        """
        return await self._run(self._claim, job, run, older, on_claim)

    async def supersede(self, job: Job, by: Job, note: str) -> Job:
        """Fail a job of unknown outcome and store ``by``, which replaces it, in one transaction.

        The first job's possible cost stays in the ledger. Raises JobConflict or OverBudget.
        """
        return await self._run(self._supersede, job, by, note)

    async def release(self, job: Job) -> None:
        """Release the budget reserved by a PREPARED job that nobody continues for now."""
        await self._run(self._release, job)

    async def advance(self, job: Job, to: JobState, note: str | None = None, **changes: Any) -> Job:
        """Change the job's state, and other fields by ``changes``, in one transaction.

        Raises JobConflict if the job is no longer in ``job.state``, JournalError if it cannot be stored.
        """
        if to not in TRANSITIONS[job.state]:
            raise JournalError(f"job {job.id} cannot go from {job.state.value} to {to.value}")
        return await self._run(self._advance, job, to, note, changes)

    async def update_fields(self, job: Job, **changes: Any) -> Job:
        """Change fields of a job but not its state, such as its last error or a new URL. Raises JobConflict."""
        return await self._run(self._advance, job, job.state, None, changes)

    async def get(self, job_id: str) -> Job | None:
        """The job of that id, or None."""
        rows = await self._run(self._select, jobs.c.id == job_id, 1)
        return rows[0] if rows else None

    async def find_by_task(self, connection: str, task_id: str) -> Job | None:
        """The newest job of that connection and task id, or None."""
        rows = await self._run(self._select, (jobs.c.connection == connection) & (jobs.c.task_id == task_id), 1)
        return rows[0] if rows else None

    async def find_by_fingerprint(self, *fingerprints: str) -> Job | None:
        """The job for the same request that has not failed, whoever asked for it, or None."""
        where = jobs.c.fingerprint.in_(fingerprints) & is_current()
        rows = await self._run(self._select, where, 1, FURTHEST)
        return rows[0] if rows else None

    async def find_segment(self, digest: str) -> Job | None:
        """The job of a chain's segment that has not failed, or None.

        Its owner ends with the segment's digest. Before it stands "chain"; in older journals a node's id or "cli".
        """
        where = jobs.c.owner.endswith(f"/{digest}", autoescape=True) & is_current()
        rows = await self._run(self._select, where, 1, FURTHEST)
        return rows[0] if rows else None

    async def recent(self, *, limit: int = 100, unfinished: bool = False) -> list[Job]:
        """Jobs, newest first; with ``unfinished`` only those that are not final."""
        final = [state.value for state in JobState if state.is_final]
        return await self._run(self._select, jobs.c.state.not_in(final) if unfinished else sa.true(), limit)

    async def history(self, job_id: str) -> list[dict[str, Any]]:
        """The steps of a job, oldest first: at, before, after, note."""
        return await self._run(self._history, job_id)

    async def transaction(self, change: Callable[[sa.Connection], T]) -> T:
        """Run ``change(connection)`` in one transaction and return its result."""

        def transaction() -> T:
            with self._begin() as connection:
                return change(connection)

        return await self._run(transaction)

    # -- in the journal's own thread

    async def _run(self, work: Callable[..., T], *arguments: Any) -> T:
        try:
            return await self._thread.run(lambda: work(*arguments))
        except _FAULTS as error:
            cause = getattr(error, "orig", None) or error
            raise JournalError(
                f"The journal {self.place} cannot be used: {type(cause).__name__}: {cause}. "
                + (hint_for(cause) if self.place.file else CHECK_SERVER)
            ) from error

    def _open(self) -> None:
        if self._guard:
            self._guard.check_presence()
        self._engine = self.place.create_engine()
        with self._engine.begin() as connection:
            database.upgrade(connection)
            if self._guard:
                self._guard.check_generation(connection)
        if self._guard:
            self._guard.remember_files()
        if self._reserve:
            with suppress(OSError):  # required only before a POST
                self._reserve.fill()
        self._apply_answers()

    def _close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    @property
    def _db(self) -> sa.Engine:
        if self._engine is None:
            raise JournalError("the journal is closed")
        return self._engine

    @contextmanager
    def _begin(self) -> Generator[sa.Connection]:
        """A transaction, in the files that were opened."""
        if self._has_answers:
            self._apply_answers()
        with self._db.begin() as connection:
            if self._guard:
                self._guard.check_files()
            yield connection

    def _add(self, job: Job) -> Job:
        with self._begin() as connection:
            return self._insert(connection, job)

    def _claim(self, job: Job, run: str | None, older: Sequence[str], on_claim: OnClaim | None) -> Job:
        with self._begin() as connection:
            where = jobs.c.fingerprint.in_([job.fingerprint, *older]) & is_current()
            row = connection.execute(jobs.select().where(where).order_by(*FURTHEST).limit(1)).mappings().first()
            if row is None:
                if self._guard:
                    self._guard.check_generation(connection)
                    _check_index(connection, [job.fingerprint, *older])
                claimed = self._insert(connection, job, run)
            else:
                claimed = job_from_row(row)
            if row is not None and claimed.state is JobState.PREPARED:
                claimed = replace(claimed, owner=job.owner)
                connection.execute(jobs.update().where(jobs.c.id == claimed.id).values(owner=job.owner))
                ledger.renew_reservation(connection, claimed, run or "", self._limits, self._now())
            if on_claim is not None:
                on_claim(connection, claimed, row is None)
            return claimed

    def _supersede(self, job: Job, by: Job, note: str) -> Job:
        with self._begin() as connection:
            account = ledger.read_account(connection, job.id)
            self._move(connection, job, JobState.FAILED, note, {"finished_at": self._now()})
            return self._insert(connection, by, account.run if account else None)

    def _release(self, job: Job) -> None:
        with self._begin() as connection:
            state = connection.execute(sa.select(jobs.c.state).where(jobs.c.id == job.id)).scalar_one_or_none()
            if state == JobState.PREPARED.value:
                ledger.release(connection, job.id, self._now())

    def _insert(self, connection: sa.Connection, job: Job, run: str | None = None) -> Job:
        now = self._now()
        job = replace(job, created_at=now, updated_at=now)
        connection.execute(jobs.insert().values(**row_of(job)))
        self._write_event(connection, job.id, None, job.state, None)
        if run is not None:
            ledger.open_account(connection, job, run, self._limits, now)
        return job

    def _advance(self, job: Job, to: JobState, note: str | None, changes: Mapping[str, Any]) -> Job:
        """Store one change. What could prevent storing the answer to a POST must be ruled out before it is sent."""
        is_post = _precedes_post(job, to)
        if is_post:
            if self._reserve:
                self._reserve.fill()
            self._answers.prepare(job.id)
        try:
            moved = self._store(job, to, note, changes)
        except BaseException as error:
            if to is JobState.SUBMITTED and isinstance(error, _FAULTS):
                self._answers.store(job.id, changes)
                self._has_answers = True
            elif is_post:
                self._answers.discard(job.id)
            raise
        if job.state is JobState.SUBMITTING:
            self._answers.discard(job.id)
        return moved

    def _store(self, job: Job, to: JobState, note: str | None, changes: Mapping[str, Any]) -> Job:
        """Store one change. If the disk is full after a POST, the disk reserve is released."""
        is_post = _precedes_post(job, to)
        try:
            moved = self._store_once(job, to, note, changes)
        except SQLAlchemyError as error:
            if is_post or not is_full(error) or not (self._reserve and self._reserve.release()):
                raise
            moved = self._store_once(job, to, note, changes)
        if self._guard and _is_paid_step(job, to, changes):
            try:
                self._guard.confirm(self._db)
            except (SQLAlchemyError, OSError):
                if is_post:  # nothing was sent yet
                    self._store_once(moved, JobState.PREPARED, "the journal's mark could not be written", {})
                    raise
        return moved

    def _store_once(self, job: Job, to: JobState, note: str | None, changes: Mapping[str, Any]) -> Job:
        with self._begin() as connection:
            if self._guard and _is_paid_step(job, to, changes):
                self._guard.check_generation(connection)
                self._guard.count(connection)
            return self._move(connection, job, to, note, changes)

    def _apply_answers(self) -> None:
        """Store the task ids that could not be stored when they were received, as far as that is possible now."""
        self._has_answers = has_left = False  # the transactions below must not come here again
        for answer in self._answers.read():
            try:
                # An older copy of the journal may lack the job: then the file is all that is left of its task id.
                for job in self._select(jobs.c.id == answer.job_id, 1):
                    if job.state is JobState.SUBMITTING:
                        changes = {"task_id": answer.task_id, "submitted_at": answer.submitted_at}
                        self._store(job, JobState.SUBMITTED, "stored later", {**changes, **_NO_ERROR})
                    answer.path.unlink(missing_ok=True)
            except (*_FAULTS, JobConflict) as error:
                has_left = True
                if is_full(error):
                    break  # nor is there room for the next one
        self._has_answers = has_left

    def _move(
        self, connection: sa.Connection, job: Job, to: JobState, note: str | None, changes: Mapping[str, Any]
    ) -> Job:
        if _precedes_post(job, to):
            ledger.check_batch_limit(connection, job)
        moved = replace(job, state=to, updated_at=self._now(), **changes)
        values = {name: value for name, value in row_of(moved).items() if name in {*changes, "state", "updated_at"}}
        where = (jobs.c.id == job.id) & (jobs.c.state == job.state.value)
        if connection.execute(jobs.update().where(where).values(**values)).rowcount != 1:
            raise JobConflict(f"job {job.id} is no longer {job.state.value}")
        if note or to is not job.state:
            self._write_event(connection, job.id, job.state, to, note)
        ledger.settle_account(connection, moved, self._limits, self._now())
        return moved

    def _write_event(
        self, connection: sa.Connection, job_id: str, before: JobState | None, after: JobState, note: str | None
    ) -> None:
        row = {"job_id": job_id, "at": self._now(), "before": before and before.value, "after": after.value}
        connection.execute(events.insert().values(note=note, **row))

    def _select(
        self, where: sa.ColumnElement[bool], limit: int, order: Sequence[sa.ColumnElement[Any]] = NEWEST
    ) -> list[Job]:
        with self._begin() as connection:
            rows = connection.execute(jobs.select().where(where).order_by(*order).limit(limit)).mappings().all()
        return [job_from_row(row) for row in rows]

    def _history(self, job_id: str) -> list[dict[str, Any]]:
        query = sa.select(events.c.at, events.c.before, events.c.after, events.c.note)
        with self._begin() as connection:
            rows = connection.execute(query.where(events.c.job_id == job_id).order_by(events.c.number)).mappings()
            return [dict(row) for row in rows]


def _precedes_post(job: Job, to: JobState) -> bool:
    """Whether the change is followed by a POST. A change of a field of a SUBMITTING job is not: its POST was sent."""
    return to is JobState.SUBMITTING and job.state is not to


def _is_paid_step(job: Job, to: JobState, changes: Mapping[str, Any]) -> bool:
    """Whether the change is one that must not be lost: a POST is about to be sent, or a task id was received."""
    return to in _PAID_STEPS and (to is not job.state or "task_id" in changes)


def _check_index(connection: sa.Connection, fingerprints: Sequence[str]) -> None:
    """Look for an equal job without the index (20 ms for 50,000 jobs). Raises DamagedError if there is one."""
    where = jobs.c.fingerprint.op("||")("").in_(fingerprints) & is_current()
    if connection.execute(sa.select(jobs.c.id).where(where).limit(1)).first() is not None:
        raise DamagedError("an index lacks a job")
