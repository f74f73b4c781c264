"""Checks a journal without changing it: version, integrity, size, number of unfinished jobs."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from ...errors import JournalError
from ...models import JobState
from ..database import DatabaseLocation
from ..schema import NEWEST_VERSION, jobs, version_table
from .generation import JournalGuard
from .recovery_hints import CHECK_SERVER, DAMAGED, hint_for


@dataclass(frozen=True)
class Health:
    """A journal's condition. ``fault`` has the database's own integrity errors; empty if there are none.

    ``version`` is None if there is no journal yet. ``is_current`` means that this pack uses that version,
    ``is_known`` that it can upgrade it.
    """

    version: str | None = None
    is_current: bool = True
    is_known: bool = True
    fault: str = ""
    size: int = 0
    """Bytes: of the file and its write-ahead log, or of the server's database."""
    jobs: int = 0
    unfinished: int = 0
    """Jobs that can be resumed, without those of unknown outcome."""
    unknown: int = 0
    """Jobs for which we could not confirm whether the provider accepted them."""


def check_health(location: DatabaseLocation) -> Health:
    """Check the journal at ``location``. Blocks. Raises JournalError, with advice, if it cannot be read."""
    guard = JournalGuard(location.file) if location.file else None
    try:
        if guard is not None:
            guard.check_presence()
        if location.file is not None and not location.file.exists():
            return Health()
        engine = _open_read_only(location.file) if location.file else location.create_engine()
        try:
            with engine.connect() as connection:
                health = _read_health(connection, location)
                if guard is not None and health.is_current and health.version and not health.fault:
                    guard.check_generation(connection)
                return health
        finally:
            engine.dispose()
    except (SQLAlchemyError, sqlite3.Error, OSError, ValueError) as error:
        cause = getattr(error, "orig", None) or error
        hint = hint_for(cause) if location.file else CHECK_SERVER
        raise JournalError(f"{type(cause).__name__}: {cause}. {hint}") from error


def _open_read_only(file: Path) -> sa.Engine:
    if file.stat().st_size == 0:
        raise JournalError(f"the file is empty. {DAMAGED}")
    url = f"{file.absolute().as_uri()}?mode=ro"
    return sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(url, uri=True), poolclass=StaticPool)


def _read_health(connection: sa.Connection, location: DatabaseLocation) -> Health:
    fault = "" if location.file is None else _integrity_fault(connection)
    if fault or not sa.inspect(connection).has_table(version_table.name):
        return Health(fault=fault)  # other values of a damaged file are unreliable
    version = str(connection.execute(sa.select(version_table.c.version_num)).scalar())
    counts = {
        str(state): int(count)
        for state, count in connection.execute(sa.select(jobs.c.state, sa.func.count()).group_by(jobs.c.state))
    }
    unknown = counts.get(JobState.SUBMITTING.value, 0)
    final = sum(counts.get(state.value, 0) for state in JobState if state.is_final)
    total = sum(counts.values())
    return Health(
        version=version,
        is_current=version == NEWEST_VERSION,
        is_known=version <= NEWEST_VERSION,  # revisions are numbered
        size=_size(connection, location.file),
        jobs=total,
        unfinished=total - final - unknown,
        unknown=unknown,
    )


def _integrity_fault(connection: sa.Connection) -> str:
    """The first integrity errors that SQLite reports (https://sqlite.org/pragma.html#pragma_integrity_check)."""
    rows = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(3)")]
    return "" if rows == ["ok"] else "; ".join(rows)


def _size(connection: sa.Connection, file: Path | None) -> int:
    if file is None:
        return int(connection.execute(sa.text("SELECT pg_database_size(current_database())")).scalar() or 0)
    files = (file, file.with_name(file.name + "-wal"))
    return sum(path.stat().st_size for path in files if path.exists())
