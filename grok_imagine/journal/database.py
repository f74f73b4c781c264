"""Opens the journal's database: a SQLite file of this machine, or a PostgreSQL that many machines share.

Both behave alike: a transaction holds the one write lock from its first statement (``BEGIN IMMEDIATE``; in PostgreSQL
an advisory lock, which ends with the transaction), and what is committed is on the disk.
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
from ..privacy import closed_to_others
from ..settings import private_folder
from .recovery_hints import DamagedError

FILE_NAME = "journal.db"
_LOCK = 0x67726F6B
"""The advisory lock's number, "grok" in ASCII. Such locks belong to one database, as the tables do."""
_WAIT_SECONDS = 10
_LOGGED_AS = "grok_imagine"
_QUIET: dict[str, Any] = {"hide_parameters": True, "logging_name": _LOGGED_AS}
"""The values of a statement, prompts and signed URLs among them, stay out of its log and of errors' texts."""


@dataclass(frozen=True)
class DatabaseLocation:
    """Where a journal is kept. ``str()`` of it names the place and shows no password."""

    file: Path | None
    url: sa.URL = field(repr=False)

    def __str__(self) -> str:
        return str(self.file) if self.file else self.url.render_as_string(hide_password=True)

    def open(self) -> sa.Engine:
        """The engine, its tables not looked at yet. Its one connection serves one thread."""
        # At DEBUG the rows that were read are logged, and nothing hides those; at INFO each statement, which would fill
        # ComfyUI's log.
        logging.getLogger(f"sqlalchemy.engine.Engine.{_LOGGED_AS}").setLevel(logging.WARNING)
        return self._open_file(self.file) if self.file else self._open_server()

    def _open_file(self, file: Path) -> sa.Engine:
        private_folder(file.parent)
        if not file.exists():
            _make(file)
        if file.stat().st_size == 0:
            raise DamagedError("the file is empty")
        engine = sa.create_engine(self.url, poolclass=StaticPool, **_QUIET)
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin_file)
        return engine

    def _open_server(self) -> sa.Engine:
        try:
            engine = sa.create_engine(
                self.url,
                **_QUIET,
                poolclass=QueuePool,
                pool_size=1,
                max_overflow=0,
                pool_pre_ping=True,  # a server that was started again is connected to anew
                connect_args={"connect_timeout": _WAIT_SECONDS, "options": _OPTIONS},
            )
        except ModuleNotFoundError as error:
            raise SettingsError(
                "database_url names a PostgreSQL, and its driver is not installed: "
                "pip install 'grok-imagine-video[postgres]'."
            ) from error
        event.listen(engine, "begin", _begin_server)
        return engine


# A machine that vanishes in the middle of a transaction must not hold the lock for ever.
_OPTIONS = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "synchronous_commit": "on",
        "lock_timeout": f"{_WAIT_SECONDS}s",
        "idle_in_transaction_session_timeout": "30s",
    }.items()
)


def database_location(folder: Path, database_url: SecretStr | None = None) -> DatabaseLocation:
    """The journal's place: the PostgreSQL of that URL, else a file in ``folder``. Raises SettingsError."""
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
    """Password, host, user and database of the URL, for whoever has to hide them; empty where it names none."""
    url = sa.make_url(database_url.get_secret_value())
    return str(url.password or ""), url.host or "", url.username or "", url.database or ""


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    """Durable before fast: a paid step must be on the disk before the POST leaves."""
    with ExitStack() as on_fault:
        on_fault.callback(connection.close)  # the pool closes only what it was given
        connection.isolation_level = None  # transactions are begun by _begin_file, so that DDL is inside them too
        for pragma in (f"busy_timeout={_WAIT_SECONDS}000", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        _write_ahead(connection)
        # A damaged index could hide the job of a wish, which would be paid again. 25 ms for ten thousand jobs.
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise DamagedError(str(found))
        on_fault.pop_all()


def _make(file: Path) -> None:
    """Put an empty database there, whole or not at all: a file of no bytes is then always one that lost them."""
    fresh = file.with_name(f"{file.name}.{secrets.token_hex(4)}.new")
    os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        closed_to_others(fresh)  # before SQLite opens it
        with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # writes the first page
        try:
            os.link(fresh, file)
        except FileExistsError:
            return  # another process was faster
        except OSError:  # a file system without links
            if not file.exists():
                os.replace(fresh, file)
    finally:
        fresh.unlink(missing_ok=True)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch the file to WAL, once in its life. The busy timeout does not hold for that, so two openers wait here."""
    until = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def _begin_file(connection: sa.Connection) -> None:
    """Take the write lock at once: a transaction that reads first could fail to upgrade its lock later."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_server(connection: sa.Connection) -> Any:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
