"""Batches shared by several machines: one queues the rows, workers process them until stopped.

procrastinate keeps the queue. If it delivers a row twice, the row is still paid once: its job is found in the journal
by its owner and resumed.
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
from ..journal.batch_row import Row, RowState
from ..journal.batches import Batches, Summary
from ..journal.queue import QUEUE, Queue, RetryLater
from ..models import Blob, Cost, JobState
from .rows import local_path
from .run import FATAL_ERRORS, MAX_CONCURRENCY, Batch, make_row, prepare

if TYPE_CHECKING:
    from procrastinate import App

    from ..jobs.session import Session

_RETRY_SECONDS = 60
"""When a row whose job is unfinished (provider down, deadline reached) is tried again."""
_RECONNECT_SECONDS = 5.0
_NO_FOLDER = Path("/nonexistent")
OnRow = Callable[[Row, str], None]


@dataclass(frozen=True)
class QueuedBatch:
    """A batch in the queue. ``queued`` is the number of rows that this call added."""

    id: str
    summary: Summary
    price: Cost | None
    queued: int


async def queue_batch(session: Session, batch: Batch) -> QueuedBatch:
    """Check every row, then store the batch and queue its rows in one transaction.

    Calling it again queues only new and unfinished rows. Raises RequestError or SettingsError.
    """
    queue = Queue(session.journal.place)
    rows, price = await prepare(session, batch)
    _refuse_files(rows, batch.folder)
    table = Batches(session.journal, session.clock)
    await queue.install(session.journal)
    run = f"batch-{secrets.token_hex(8)}"
    count = [0]

    def put(connection: sa.Connection, identity: str) -> None:
        count[0] = queue.enqueue(connection, identity, run)

    identity = await table.save(batch.name, rows, retry_failed=batch.retry_failed, max_usd=batch.max_usd, enqueue=put)
    return QueuedBatch(identity, await table.summary(identity), price, count[0])


def _refuse_files(rows: Sequence[Row], folder: Path) -> None:
    faults = [
        Violation("B5", f"row {row.number}, {name}", f"{item} is a local file; use a URL")
        for row in rows
        for name in ("reference_images", "source_video")
        for item in _as_list(row.fields.get(name))
        if isinstance(item, Blob) or local_path(item, folder) is not None
    ]
    if faults:
        raise RequestError(
            "Workers on other machines cannot read your local files. Upload them first (grok-imagine upload FILE "
            "prints a URL), or run the batch without --defer. Nothing was sent or charged.",
            faults[:20],
        )


def _as_list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


async def run_worker(session: Session, *, concurrency: int = 4, on_row: OnRow | None = None) -> None:
    """Process rows from the queue, ``concurrency`` at a time, until SIGTERM, SIGINT or cancellation.

    Running rows then return to the queue. Their jobs continue at the provider, and the next worker resumes them.
    Raises SettingsError if this machine's settings prevent it from making a row.
    """
    if not 1 <= concurrency <= MAX_CONCURRENCY:
        raise RequestError(f"Cannot make {concurrency} clips at the same time; choose 1 to {MAX_CONCURRENCY}.")
    if os.name == "nt":
        raise SettingsError("Workers need Linux or macOS: psycopg does not support the default event loop of Windows.")
    queue = Queue(session.journal.place)
    await queue.install(session.journal)
    worker = _Worker(session, on_row)
    with worker.stop_on_signals():
        while not worker.is_stopping:
            await worker.run(queue.app(worker.process_row), concurrency)


@dataclass
class _Worker:
    """One worker process."""

    session: Session
    on_row: OnRow | None
    name: str = field(default_factory=lambda: f"{platform.node()[:40]}-{os.getpid()}-{secrets.token_hex(3)}")
    is_stopping: bool = False
    fault: SettingsError | None = None
    _running: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.table = Batches(self.session.journal, self.session.clock)

    def stop(self) -> None:
        """Claim no more rows and return the running ones to the queue."""
        self.is_stopping = True
        if self._running is not None:
            self._running.cancel()  # procrastinate treats this as a graceful stop

    @contextmanager
    def stop_on_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        kinds = (signal.SIGTERM, signal.SIGINT)
        for kind in kinds:
            loop.add_signal_handler(kind, self.stop)
        try:
            yield
        finally:
            for kind in kinds:
                loop.remove_signal_handler(kind)

    async def run(self, app: App, concurrency: int) -> None:
        """Process rows until stopped or until the database connection is lost; then wait, so the caller can retry."""
        from procrastinate.exceptions import ConnectorException

        stalled = self.session.settings.worker_stalled_seconds
        try:
            async with app.open_async():
                self._running = asyncio.ensure_future(
                    app.run_worker_async(
                        queues=[QUEUE],
                        name=self.name,
                        concurrency=concurrency,
                        install_signal_handlers=False,
                        shutdown_graceful_timeout=0,
                        delete_jobs="successful",
                        update_heartbeat_interval=stalled / 3,
                        stalled_worker_timeout=stalled,
                    )
                )
                watch = asyncio.ensure_future(_retry_stalled(app, stalled))
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
            logging.getLogger(__name__).warning("lost the database connection (%s); reconnecting", type(error).__name__)
        if not self.is_stopping:
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def process_row(self, batch: str, key: str, run: str) -> None:
        """Run one task: make the row, unless it is final or its batch is stopped."""
        try:
            row = await self.table.claim_row(batch, key, self.name)
        except JournalError:
            raise RetryLater(_RETRY_SECONDS) from None
        if row is None:
            return
        try:
            state = await make_row(self.session, self.table, batch, row, _NO_FOLDER, run)
        except asyncio.CancelledError:
            await asyncio.shield(self._give_back(batch, row))
            raise
        except JournalError:
            raise RetryLater(_RETRY_SECONDS) from None
        except SettingsError as error:
            self._report(row, f"this worker cannot make it: {error}")
            await self._give_back(batch, row)
            self.fault = error
            self.stop()
            raise RetryLater from None
        except FATAL_ERRORS as error:
            self._report(row, f"the batch is stopped: {error}")
            await self._give_back(batch, row)
            await self.table.stop(batch, str(error))
            return
        self._report(row, state.value)
        if state is RowState.STOPPED:
            raise RetryLater(_RETRY_SECONDS)

    async def _give_back(self, batch: str, row: Row) -> None:
        """Return the row to the queue. Its job, which may be paid, still counts towards the batch's limit."""
        with suppress(JournalError):
            job = await self.table.find_job(batch, row)
            was_sent = job is not None and job.state not in (JobState.PREPARED, JobState.FAILED)
            await self.table.save_state(batch, row, RowState.STOPPED if was_sent else RowState.WAITING)

    def _report(self, row: Row, text: str) -> None:
        if self.on_row is not None:
            self.on_row(row, text)


async def _retry_stalled(app: App, stalled_seconds: float) -> None:
    """Requeue the rows of dead workers: those without a heartbeat (procrastinate 3.1) for ``stalled_seconds``.

    Several workers may requeue the same row, and a worker that was only slow may continue it too. The journal lets
    only one of them make each step.
    """
    from procrastinate.exceptions import ConnectorException

    while True:
        await asyncio.sleep(stalled_seconds / 3)
        with suppress(ConnectorException):
            jobs = app.job_manager
            for task in await jobs.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=stalled_seconds):
                with suppress(ConnectorException):  # another worker was faster
                    await jobs.retry_job(task)
