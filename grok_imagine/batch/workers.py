"""Batches that several machines work together: one puts the rows into the queue, workers take them until stopped.

procrastinate keeps the queue and watches over the workers. What it hands out twice is still paid once: a row's job is
found in the journal by its owner, and gone on with from where it stands.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import secrets
import signal
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from ..errors import JournalError, RequestError, SettingsError, Violation
from ..journal.batches import Batches, Row, RowState, Summary, owner_of
from ..journal.queue import QUEUE, Queue, RetryLater
from ..models import Blob, Cost, JobState
from .rows import local
from .run import FATAL_ERRORS, MOST_AT_ONCE, Batch, make_row, prepare

if TYPE_CHECKING:
    from procrastinate import App

    from ..jobs.session import Session

_AGAIN_SECONDS = 60
"""How soon a row whose job is not over (a provider that is down, a deadline) is taken up again."""
_RECONNECT_SECONDS = 5.0
_NOWHERE = Path("/nonexistent")
OnRow = Callable[[Row, str], None]


@dataclass(frozen=True)
class QueuedBatch:
    """A batch that is in the queue. ``put`` rows were put there by this call; those that were there stay."""

    id: str
    summary: Summary
    price: Cost | None
    put: int


async def queue_batch(session: Session, batch: Batch) -> QueuedBatch:
    """Check every row, write the batch into the journal, and its rows into the queue, all or nothing.

    Called again it puts what is new or was left, and nothing twice. Raises RequestError or SettingsError.
    """
    queue = Queue(session.journal.place)
    made, price = await prepare(session, batch)
    _refuse_files(made, batch.folder)
    table = Batches(session.journal, session.clock)
    await queue.install(session.journal)
    run = f"batch-{secrets.token_hex(8)}"
    count = [0]

    def put(connection: sa.Connection, identity: str) -> None:
        count[0] = queue.put(connection, identity, run)

    identity = await table.open(batch.name, made, retry_failed=batch.retry_failed, max_usd=batch.max_usd, put=put)
    return QueuedBatch(identity, await table.summary(identity), price, count[0])


def _refuse_files(rows: Sequence[Row], folder: Path) -> None:
    faults = [
        Violation("B5", f"row {row.number}, {name}", f"{one} is a file of this machine; give its URL")
        for row in rows
        for name in ("reference_images", "source_video")
        for one in _several(row.fields.get(name))
        if isinstance(one, Blob) or local(one, folder) is not None
    ]
    if faults:
        raise RequestError(
            "Workers on other machines cannot read files of this one. Make them public first (grok-imagine upload "
            "FILE prints a URL), or run the batch without --defer. Nothing was sent or charged.",
            faults[:20],
        )


def _several(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


async def run_worker(session: Session, *, at_once: int = 4, on_row: OnRow | None = None) -> None:
    """Take rows from the queue, ``at_once`` at a time, until SIGTERM or SIGINT, or until this is canceled.

    What is under way then goes back into the queue; its jobs go on at the provider, and whoever takes them next goes
    on with them. Raises SettingsError where this machine cannot make a row that another could.
    """
    if not 1 <= at_once <= MOST_AT_ONCE:
        raise RequestError(f"{at_once} at once is not possible; choose 1 to {MOST_AT_ONCE}.")
    if os.name == "nt":
        raise SettingsError("Workers run on Linux and macOS: psycopg cannot wait on Windows' usual event loop.")
    queue = Queue(session.journal.place)
    await queue.install(session.journal)
    worker = _Worker(session, on_row)
    with worker.hears_signals():
        while not worker.is_stopping:
            await worker.run(queue.app(worker.row), at_once)


@dataclass
class _Worker:
    """One process that takes rows."""

    session: Session
    on_row: OnRow | None
    name: str = field(default_factory=lambda: f"{platform.node()[:40]}-{os.getpid()}-{secrets.token_hex(3)}")
    is_stopping: bool = False
    fault: SettingsError | None = None
    _running: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.table = Batches(self.session.journal, self.session.clock)

    def stop(self) -> None:
        """Take no more rows, and give back those that are under way."""
        self.is_stopping = True
        if self._running is not None:
            self._running.cancel()  # procrastinate takes this for a stop in good order

    @contextmanager
    def hears_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        kinds = (signal.SIGTERM, signal.SIGINT)
        for kind in kinds:
            loop.add_signal_handler(kind, self.stop)
        try:
            yield
        finally:
            for kind in kinds:
                loop.remove_signal_handler(kind)

    async def run(self, app: App, at_once: int) -> None:
        """Work until stopped, or until the database is lost: that is waited for, and the next call goes on."""
        from procrastinate.exceptions import ConnectorException

        stalled = self.session.settings.worker_stalled_seconds
        try:
            async with app.open_async():
                self._running = asyncio.ensure_future(
                    app.run_worker_async(
                        queues=[QUEUE],
                        name=self.name,
                        concurrency=at_once,
                        install_signal_handlers=False,
                        shutdown_graceful_timeout=0,
                        delete_jobs="successful",
                        update_heartbeat_interval=stalled / 3,
                        stalled_worker_timeout=stalled,
                    )
                )
                watch = asyncio.ensure_future(_watch(app, stalled))
                try:
                    await self._running
                finally:
                    self._running.cancel()
                    watch.cancel()
                    await asyncio.gather(self._running, watch, return_exceptions=True)
        except asyncio.CancelledError:
            if self.fault is not None:
                raise self.fault from None
            if not self.is_stopping:
                raise
        except ConnectorException as error:
            logging.getLogger(__name__).warning("the database is away (%s); waiting for it", type(error).__name__)
        if not self.is_stopping:
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def row(self, batch: str, key: str, run: str) -> None:
        """One task: make the row, unless it is settled or its batch is stopped."""
        try:
            row = await self.table.add_rows(batch, key, self.name)
        except JournalError:
            raise RetryLater(_AGAIN_SECONDS) from None
        if row is None:
            return
        try:
            state, _ = await make_row(self.session, self.table, batch, row, _NOWHERE, run)
        except asyncio.CancelledError:
            await asyncio.shield(self._leave(batch, row))
            raise
        except JournalError:
            raise RetryLater(_AGAIN_SECONDS) from None
        except SettingsError as error:
            self._report(row, f"this worker cannot make it: {error}")
            await self._leave(batch, row)
            self.fault = error
            self.stop()
            raise RetryLater from None
        except FATAL_ERRORS as error:
            self._report(row, f"the batch is stopped: {error}")
            await self._leave(batch, row)
            await self.table.stop(batch, str(error))
            return
        self._report(row, state.value)
        if state is RowState.STOPPED:
            raise RetryLater(_AGAIN_SECONDS)

    async def _leave(self, batch: str, row: Row) -> None:
        """Leave the row to the next worker. Its job, which may be paid, counts to the batch's limit meanwhile."""
        with suppress(JournalError):
            job = await self.session.journal.find_by_owner(owner_of(batch, row.key))
            was_sent = job is not None and job.state is not JobState.PREPARED
            state = RowState.STOPPED if was_sent else RowState.WAITING
            await self.table.settle(batch, row, state, job_id=job.id if job else None)

    def _report(self, row: Row, told: str) -> None:
        if self.on_row is not None:
            self.on_row(row, told)


async def _watch(app: App, stalled_seconds: float) -> None:
    """Put back the rows of workers that have died: those whose heartbeat (procrastinate 3.1) stopped.

    Two watchers may put the same row back, and a worker that was merely slow may go on with it too; the journal lets
    only one of them take each step.
    """
    from procrastinate.exceptions import ConnectorException

    while True:
        await asyncio.sleep(stalled_seconds / 3)
        with suppress(ConnectorException):
            jobs = app.job_manager
            for task in await jobs.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=stalled_seconds):
                with suppress(ConnectorException):  # another watcher was faster
                    await jobs.retry_job(task)
