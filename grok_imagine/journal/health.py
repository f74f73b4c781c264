"""Looks at a journal and changes nothing: its version, whether it is sound, its size, how many jobs stand open."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from ..errors import JournalError
from ..models import JobState
from .database import DatabaseLocation
from .recovery_hints import CHECK_SERVER, DAMAGED, hint_for
from .schema import NEWEST_VERSION, jobs, version_table


@dataclass(frozen=True)
class Health:
    """What was found. ``fault`` is what the database says against itself; empty where it is sound.

    ``version`` is None where there is no journal yet. ``is_current`` means that this pack writes that version,
    ``is_known`` that it can bring it up to date.
    """

    version: str | None = None
    is_current: bool = True
    is_known: bool = True
    fault: str = ""
    size: int = 0
    """Bytes: of the file and what is written ahead of it, or of the server's database."""
    jobs: int = 0
    unfinished: int = 0
    """Jobs that can go on, those of unknown outcome not counted."""
    unknown: int = 0
    """Jobs of which nobody knows whether the provider took them."""


def examine(place: DatabaseLocation) -> Health:
    """Look at the journal there. Blocks. Raises JournalError, which says what to do, where it cannot be read."""
    if place.file is not None and not place.file.exists():
        return Health()
    try:
        engine = _read_only(place.file) if place.file else place.open()
        try:
            with engine.connect() as connection:
                return _look(connection, place)
        finally:
            engine.dispose()
    except (SQLAlchemyError, sqlite3.Error, OSError, ValueError) as error:
        cause = getattr(error, "orig", None) or error
        told = hint_for(cause) if place.file else CHECK_SERVER
        raise JournalError(f"{type(cause).__name__}: {cause}. {told}") from error


def _read_only(file: Path) -> sa.Engine:
    if file.stat().st_size == 0:
        raise JournalError(f"the file is empty. {DAMAGED}")
    url = f"{file.absolute().as_uri()}?mode=ro"
    return sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(url, uri=True), poolclass=StaticPool)


def _look(connection: sa.Connection, place: DatabaseLocation) -> Health:
    fault = "" if place.file is None else _fault(connection)
    if fault or not sa.inspect(connection).has_table(version_table.name):
        return Health(fault=fault)  # nothing that a damaged file says further can be relied on
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
        size=_size(connection, place.file),
        jobs=total,
        unfinished=total - final - unknown,
        unknown=unknown,
    )


def _fault(connection: sa.Connection) -> str:
    """The first things that SQLite finds wrong with the file (https://sqlite.org/pragma.html#pragma_integrity_check)."""
    rows = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(3)")]
    return "" if rows == ["ok"] else "; ".join(rows)


def _size(connection: sa.Connection, file: Path | None) -> int:
    if file is None:
        return int(connection.execute(sa.text("SELECT pg_database_size(current_database())")).scalar() or 0)
    beside = (file, file.with_name(file.name + "-wal"))
    return sum(one.stat().st_size for one in beside if one.exists())
