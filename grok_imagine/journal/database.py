"""Opens the journal's database: a local SQLite file, or a PostgreSQL database that several machines share.

In both, a transaction takes the only write lock at its start (``BEGIN IMMEDIATE``; in PostgreSQL an advisory lock,
which ends with the transaction), and committed data is on disk.
"""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool, StaticPool

from ..errors import SettingsError
from ..privacy import ensure_private
from ..private_files import private_folder
from .durability.recovery_hints import DamagedError
from .schema import NEWEST_VERSION, generation, jobs, metadata, version_table

FILE_NAME = "journal.db"
_LOCK = 0x67726F6B
"""The advisory lock's number, "grok" in ASCII. Advisory locks are per database."""
_WAIT_SECONDS = 10
_LOGGER_NAME = "grok_imagine"
_ENGINE_OPTIONS: dict[str, Any] = {"hide_parameters": True, "logging_name": _LOGGER_NAME}
"""Keep statement parameters, which include prompts and signed URLs, out of logs and error messages."""


@dataclass(frozen=True)
class DatabaseLocation:
    """Where a journal is stored. ``str()`` shows the path or URL without the password."""

    file: Path | None
    url: sa.URL = field(repr=False)

    def __str__(self) -> str:
        return str(self.file) if self.file else self.url.render_as_string(hide_password=True)

    def create_engine(self) -> sa.Engine:
        """An engine with one connection, for one thread. Does not check the tables. Raises DamagedError."""
        # DEBUG would log rows, which hide_parameters does not cover; INFO would log each statement to ComfyUI's log.
        logging.getLogger(f"sqlalchemy.engine.Engine.{_LOGGER_NAME}").setLevel(logging.WARNING)
        return self._open_file(self.file) if self.file else self._open_server()

    def _open_file(self, file: Path) -> sa.Engine:
        private_folder(file.parent)
        if not file.exists():
            _create_file(file)
        if file.stat().st_size == 0:
            raise DamagedError("the file is empty")
        engine = sa.create_engine(self.url, poolclass=StaticPool, **_ENGINE_OPTIONS)
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin_file)
        return engine

    def _open_server(self) -> sa.Engine:
        try:
            engine = sa.create_engine(
                self.url,
                **_ENGINE_OPTIONS,
                poolclass=QueuePool,
                pool_size=1,
                max_overflow=0,
                pool_pre_ping=True,  # reconnect after a server restart
                connect_args={"connect_timeout": _WAIT_SECONDS, "options": _OPTIONS},
            )
        except ModuleNotFoundError as error:
            raise SettingsError(
                "database_url needs the PostgreSQL driver, which is not installed. Run: "
                "pip install 'grok-imagine-video[postgres]'"
            ) from error
        event.listen(engine, "begin", _begin_server)
        return engine


# A machine that disconnects within a transaction must not keep the lock.
_OPTIONS = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "synchronous_commit": "on",
        "lock_timeout": f"{_WAIT_SECONDS}s",
        "idle_in_transaction_session_timeout": "30s",
    }.items()
)


def database_location(folder: Path, database_url: SecretStr | None = None) -> DatabaseLocation:
    """The PostgreSQL database of that URL, else a file in ``folder``. Raises SettingsError for a wrong URL."""
    if database_url is None:
        file = folder / FILE_NAME
        return DatabaseLocation(file, sa.URL.create("sqlite", database=str(file)))
    try:
        url = sa.make_url(database_url.get_secret_value())
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in ("postgresql", "postgres"):
        raise SettingsError("database_url must be a PostgreSQL URL: postgresql://user:password@host/database.")
    return DatabaseLocation(None, url.set(drivername="postgresql+psycopg"))


def describe_url(database_url: SecretStr) -> tuple[str, str, str, str]:
    """Password, host, user and database of the URL, for redaction. Missing ones are empty."""
    url = sa.make_url(database_url.get_secret_value())
    return str(url.password or ""), url.host or "", url.username or "", url.database or ""


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    """Configure a new connection for durability: a paid step must be on disk before its POST is sent."""
    with ExitStack() as on_fault:
        on_fault.callback(connection.close)  # the pool does not close a connection that failed here
        connection.isolation_level = None  # transactions are begun by _begin_file, so that DDL is inside them too
        for pragma in (f"busy_timeout={_WAIT_SECONDS}000", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        _enable_wal(connection)
        # A damaged index could hide a request's job, which would then be paid again. quick_check does not compare
        # indexes with their tables. 0.14 s for ten thousand jobs.
        (result,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if result != "ok":
            raise DamagedError(str(result))
        on_fault.pop_all()


def _create_file(file: Path) -> None:
    """Create an empty database atomically, so that a file of 0 bytes always means lost data."""
    temporary = file.with_name(f"{file.name}.{secrets.token_hex(4)}.new")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        ensure_private(temporary)  # before SQLite opens it
        with closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # writes the first page
        try:
            os.link(temporary, file)
        except FileExistsError:
            return  # another process was faster
        except OSError:  # a file system without links
            if not file.exists():
                os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def _enable_wal(connection: sqlite3.Connection) -> None:
    """Switch the file to WAL mode, retrying for 10 s, since SQLite's busy timeout does not apply to this."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_file(connection: sa.Connection) -> None:
    """Take the write lock at the start: a transaction that reads first could fail to upgrade its lock."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def upgrade(connection: sa.Connection) -> None:
    """Create the tables of an empty database, or bring those of an older version to the newest one."""
    inspector = sa.inspect(connection)
    if not inspector.has_table(version_table.name):
        if not inspector.has_table(jobs.name):
            _create_tables(connection)
            return
    elif connection.execute(sa.select(version_table.c.version_num)).scalar() == NEWEST_VERSION:
        return
    migrate(connection)


def _create_tables(connection: sa.Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    connection.execute(sa.insert(generation).values(journal=secrets.token_hex(16), number=0))
    version_table.create(connection)
    connection.execute(sa.insert(version_table).values(version_num=NEWEST_VERSION))


def migrate(connection: sa.Connection) -> None:
    """Run the migrations that the database lacks. Imports Alembic, which is slow. Raises ValueError."""
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ValueError(str(error)) from error


def _begin_server(connection: sa.Connection) -> Any:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
