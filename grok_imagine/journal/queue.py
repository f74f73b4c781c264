"""The queue of batch rows for workers, kept by procrastinate in the journal's PostgreSQL database.

Rows and tasks are written in one transaction, so a crash cannot separate them. A row has at most one unfinished task:
its name is the task's ``queueing_lock`` (one waiting) and ``lock`` (one running).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from ..errors import SettingsError
from .database import DatabaseLocation
from .journal import Journal
from .schema import batch_rows

if TYPE_CHECKING:
    from procrastinate import App, BaseRetryStrategy
    from procrastinate.jobs import Job

QUEUE = "grok_imagine_rows"
TASK = "grok_imagine.row"
_MOST_ATTEMPTS = 100
_COMMENT_PREFIX = "grok_imagine: "
_CHUNK = 1000


class RetryLater(Exception):
    """Return the task to the queue and run it again after ``seconds``."""

    def __init__(self, seconds: int = 0) -> None:
        self.seconds = seconds
        super().__init__(f"retry in {seconds} s")


class Queue:
    """The queue of one journal. Raises SettingsError if it is not in PostgreSQL or procrastinate is missing."""

    def __init__(self, place: DatabaseLocation) -> None:
        if place.file is not None:
            raise SettingsError(
                f"Workers need a journal in PostgreSQL, but yours is the file {place}. Set database_url (see "
                "docs/workers.md), or run the batch without --defer."
            )
        try:
            import procrastinate
        except ModuleNotFoundError as error:
            raise SettingsError(
                "Workers need procrastinate, which is not installed. Run: pip install 'grok-imagine-video[postgres]'"
            ) from error
        self._procrastinate = procrastinate
        self._url = place.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def enqueue(self, connection: sa.Connection, batch: str, run: str) -> int:
        """Add a task for each open row of the batch that has none, in the connection's transaction. Returns how many.

        Call :meth:`install` before.
        """
        is_open = batch_rows.c.state.in_(["waiting", "running"]) & batch_rows.c.number.is_not(None)
        query = sa.select(batch_rows.c.key).where((batch_rows.c.batch == batch) & is_open).order_by(batch_rows.c.number)
        queued_names = self._queued_names(connection)
        new_keys = [key for key in connection.execute(query).scalars() if _task_name(batch, key) not in queued_names]
        for start in range(0, len(new_keys), _CHUNK):
            self._enqueue_chunk(connection, batch, new_keys[start : start + _CHUNK], run)
        return len(new_keys)

    def _enqueue_chunk(self, connection: sa.Connection, batch: str, keys: list[str], run: str) -> None:
        # A running row without a task was left by a process that ran the batch without workers.
        these = (batch_rows.c.batch == batch) & batch_rows.c.key.in_(keys)
        connection.execute(batch_rows.update().where(these).values(state="waiting", worker=None))
        raw = connection.connection.driver_connection
        manager = self._procrastinate.App(connector=self._procrastinate.SyncPsycopgConnector()).job_manager
        manager.batch_defer_jobs([_task(batch, key, run) for key in keys], raw)

    async def install(self, journal: Journal) -> None:
        """Create procrastinate's tables, or upgrade those that this pack created. Safe to call concurrently.

        Each migration script has its own transaction, since some depend on the commit of an earlier one.
        """
        while await journal.transaction(_install_next):
            pass

    def app(self, work: Callable[[str, str, str], Awaitable[None]]) -> App:
        """A procrastinate app that calls ``work(batch, key, run)`` for each task. ``work`` may raise RetryLater."""
        # One connection listens; the others fetch tasks and send heartbeats.
        app = self._procrastinate.App(
            connector=self._procrastinate.PsycopgConnector(
                conninfo=self._url, min_size=1, max_size=4, kwargs={"connect_timeout": 10}
            )
        )

        @app.task(name=TASK, queue=QUEUE, retry=_retry_strategy())
        async def row(batch: str, key: str, run: str) -> None:  # pyright: ignore[reportUnusedFunction]
            await work(batch, key, run)

        return app

    def _queued_names(self, connection: sa.Connection) -> set[str]:
        """Names of the rows whose tasks wait or run. A task that ends meanwhile is not added again by this call."""
        query = sa.text("SELECT lock FROM procrastinate_jobs WHERE task_name = :task AND status IN ('todo', 'doing')")
        return set(connection.execute(query, {"task": TASK}).scalars())


def _task(batch: str, key: str, run: str) -> Job:
    from procrastinate.jobs import Job

    name = _task_name(batch, key)
    arguments = {"batch": batch, "key": key, "run": run}
    return Job(queue=QUEUE, task_name=TASK, lock=name, queueing_lock=name, task_kwargs={**arguments})


def _retry_strategy() -> BaseRetryStrategy:
    from procrastinate import BaseRetryStrategy, RetryDecision

    class RetryStrategy(BaseRetryStrategy):
        """Retries only tasks that raised RetryLater or were canceled by the worker's stop."""

        def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
            if isinstance(exception, asyncio.CancelledError):
                return RetryDecision(retry_in={"seconds": 0})
            if isinstance(exception, RetryLater) and job.attempts < _MOST_ATTEMPTS:
                return RetryDecision(retry_in={"seconds": exception.seconds})
            return None

    return RetryStrategy()


def _task_name(batch: str, key: str) -> str:
    return f"{batch}/{key}"


def _install_next(connection: sa.Connection) -> bool:
    """Run the next migration script. The table's comment names the last one. Returns whether more are left."""
    from procrastinate.schema import SchemaManager

    scripts = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    query = sa.text("SELECT obj_description(to_regclass('procrastinate_jobs')), to_regclass('procrastinate_jobs')")
    comment, table = connection.execute(query).one()
    if table is None:
        _execute(connection, SchemaManager.get_schema(), scripts[-1].name)
        return False
    if not (comment or "").startswith(_COMMENT_PREFIX):
        return False  # another program created and maintains these tables
    pending = [path for path in scripts if path.name > comment.removeprefix(_COMMENT_PREFIX)]
    if pending:
        _execute(connection, pending[0].read_text("utf-8"), pending[0].name)
    return len(pending) > 1


def _execute(connection: sa.Connection, script: str, name: str) -> None:
    """Run a script of several statements without parameters, and store its name in the table's comment."""
    raw = cast("Any", connection.connection.driver_connection)
    raw.execute(script)
    raw.execute(f"COMMENT ON TABLE procrastinate_jobs IS '{_COMMENT_PREFIX}{name}'")
