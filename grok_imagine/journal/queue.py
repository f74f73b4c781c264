"""The queue of rows for workers: procrastinate's, in the journal's PostgreSQL, filled in the journal's transactions.

Row and task are written together, so no crash can come between the two. A row has one task that is not over: its name
is the task's ``queueing_lock`` (one that waits) and ``lock`` (one that runs).
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
_MARK = "grok_imagine: "
_STEP = 1000


class RetryLater(Exception):
    """The task goes back into the queue, to be worked again after so many seconds."""

    def __init__(self, seconds: int = 0) -> None:
        self.seconds = seconds
        super().__init__(f"given back for {seconds} s")


class Queue:
    """The queue of one journal. Raises SettingsError where that is no PostgreSQL, or without procrastinate."""

    def __init__(self, place: DatabaseLocation) -> None:
        if place.file is not None:
            raise SettingsError(
                f"Workers share their journal in a PostgreSQL, and this one is the file {place}. Set database_url "
                "(README, Several machines); or run the batch without --defer, in this one process."
            )
        try:
            import procrastinate
        except ModuleNotFoundError as error:
            raise SettingsError(
                "Workers need procrastinate, which is not installed: pip install 'grok-imagine-video[postgres]'."
            ) from error
        self._procrastinate = procrastinate
        self._url = place.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def put(self, connection: sa.Connection, batch: str, run: str) -> int:
        """A task for each row of the batch that waits and has none, in the connection's transaction. Says how many.

        The queue must be installed.
        """
        open_ = batch_rows.c.state.in_(["waiting", "running"]) & batch_rows.c.number.is_not(None)
        query = sa.select(batch_rows.c.key).where((batch_rows.c.batch == batch) & open_).order_by(batch_rows.c.number)
        under_way = self._under_way(connection)
        fresh = [key for key in connection.execute(query).scalars() if _name(batch, key) not in under_way]
        for start in range(0, len(fresh), _STEP):
            self._put(connection, batch, fresh[start : start + _STEP], run)
        return len(fresh)

    def _put(self, connection: sa.Connection, batch: str, keys: list[str], run: str) -> None:
        # A row that runs without a task was left by a process that ran the batch by itself.
        these = (batch_rows.c.batch == batch) & batch_rows.c.key.in_(keys)
        connection.execute(batch_rows.update().where(these).values(state="waiting", worker=None))
        raw = connection.connection.driver_connection
        manager = self._procrastinate.App(connector=self._procrastinate.SyncPsycopgConnector()).job_manager
        manager.batch_defer_jobs([_task(batch, key, run) for key in keys], raw)

    async def install(self, journal: Journal) -> None:
        """Make procrastinate's tables, or bring those that were made here up to its version; once, whoever else does.

        Each of its scripts has a transaction of its own, as some need what an earlier one has committed.
        """
        while await journal.transaction(_install_next):
            pass

    def app(self, work: Callable[[str, str, str], Awaitable[None]]) -> App:
        """A procrastinate app that calls ``work(batch, key, run)`` for each task. It may raise GivenBack."""
        # One connection listens, the others are for taking tasks and for heartbeats.
        app = self._procrastinate.App(
            connector=self._procrastinate.PsycopgConnector(
                conninfo=self._url, min_size=1, max_size=4, kwargs={"connect_timeout": 10}
            )
        )

        @app.task(name=TASK, queue=QUEUE, retry=_retry())
        async def row(batch: str, key: str, run: str) -> None:  # pyright: ignore[reportUnusedFunction]
            await work(batch, key, run)

        return app

    def _under_way(self, connection: sa.Connection) -> set[str]:
        """The rows whose tasks wait or run. What ends meanwhile is at worst not put again by this very call."""
        query = sa.text("SELECT lock FROM procrastinate_jobs WHERE task_name = :task AND status IN ('todo', 'doing')")
        return set(connection.execute(query, {"task": TASK}).scalars())


def _task(batch: str, key: str, run: str) -> Job:
    from procrastinate.jobs import Job

    name = _name(batch, key)
    about = {"batch": batch, "key": key, "run": run}
    return Job(queue=QUEUE, task_name=TASK, lock=name, queueing_lock=name, task_kwargs={**about})


def _retry() -> BaseRetryStrategy:
    from procrastinate import BaseRetryStrategy, RetryDecision

    class GiveBack(BaseRetryStrategy):
        """Only what was given back, or interrupted by the worker's own stop, is worked again."""

        def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
            if isinstance(exception, asyncio.CancelledError):
                return RetryDecision(retry_in={"seconds": 0})
            if isinstance(exception, RetryLater) and job.attempts < _MOST_ATTEMPTS:
                return RetryDecision(retry_in={"seconds": exception.seconds})
            return None

    return GiveBack()


def _name(batch: str, key: str) -> str:
    return f"{batch}/{key}"


def _install_next(connection: sa.Connection) -> bool:
    """Take the next step to procrastinate's newest tables, which their comment names; False where there is none."""
    from procrastinate.schema import SchemaManager

    every = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    query = sa.text("SELECT obj_description(to_regclass('procrastinate_jobs')), to_regclass('procrastinate_jobs')")
    mark, table = connection.execute(query).one()
    if table is None:
        _execute(connection, SchemaManager.get_schema(), every[-1].name)
        return False
    if not (mark or "").startswith(_MARK):
        return False  # another program's, which takes care of them
    left = [path for path in every if path.name > mark.removeprefix(_MARK)]
    if left:
        _execute(connection, left[0].read_text("utf-8"), left[0].name)
    return len(left) > 1


def _execute(connection: sa.Connection, script: str, name: str) -> None:
    """Run a script of several statements as it is, which the driver takes without parameters, and note its name."""
    raw = cast("Any", connection.connection.driver_connection)
    raw.execute(script)
    raw.execute(f"COMMENT ON TABLE procrastinate_jobs IS '{_MARK}{name}'")
