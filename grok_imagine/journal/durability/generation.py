"""Notices a journal that is not the one that was written, so that nothing is paid twice because of it.

The journal counts its paid steps (a POST about to be sent, a task id received). After each of them the count is also
written to the file ``journal.generation`` beside it. A journal with a lower count is an older copy, or has lost its
write-ahead log. Deleted and replaced files are noticed by their inodes.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import sqlalchemy as sa

from ..schema import generation
from .recovery_hints import OlderCopyError, ReplacedError

_BUSY_MS = 100
"""How long a checkpoint waits for readers. If one reads longer, the next paid step's checkpoint catches up."""
_SIZE = 128
"""Bytes of the mark: always the same, so that it is overwritten in place, also on a full disk."""
_Inode = tuple[int, int]


class JournalGuard:
    """Guards the journal's file. Used in the journal's own thread."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._mark = file.with_name("journal.generation")
        self._inodes: dict[Path, _Inode | None] = {}
        self._known: tuple[str, int] | None = None
        """The journal's id and count of paid steps, as this process last stored or read them."""

    def check_presence(self) -> None:
        """Raise OlderCopyError if the journal's file is missing though paid steps were stored in it."""
        if not self._file.exists() and self._read_mark() is not None:
            raise OlderCopyError("the file is missing")

    def remember_files(self) -> None:
        """Remember which files the open connection uses."""
        paths = (self._file, *(self._file.with_name(self._file.name + end) for end in ("-wal", "-shm")))
        self._inodes = {path: _inode(path) for path in paths}

    def check_files(self) -> None:
        """Raise ReplacedError if a file that the open connection uses was deleted or replaced."""
        for path, inode in self._inodes.items():
            if _inode(path) != inode:
                raise ReplacedError(f"{path.name} was deleted or replaced while it was in use")

    def check_generation(self, connection: sa.Connection) -> None:
        """Raise OlderCopyError if paid steps are missing that were stored before. Reads from disk, not from caches."""
        connection.exec_driver_sql("PRAGMA shrink_memory")
        journal, number = _read(connection)
        for known in (self._read_mark(), self._known):
            if known is not None and known[0] != journal:
                raise OlderCopyError("the file is another journal than the one used here before")
            if known is not None and known[1] > number:
                raise OlderCopyError(f"the last {known[1] - number} of {known[1]} paid steps are missing in the file")
        self._known = journal, number

    def count(self, connection: sa.Connection) -> None:
        """Count a paid step, in its transaction."""
        connection.execute(generation.update().values(number=generation.c.number + 1))

    def confirm(self, engine: sa.Engine) -> None:
        """After the commit of a paid step: copy it from the write-ahead log into the file, and write the mark.

        Raises OSError if the mark cannot be written.
        """
        with suppress(sqlite3.Error):  # the step is on disk already, in the write-ahead log
            _checkpoint(engine)
        # The transaction's lock keeps the marks of several processes in order.
        with engine.begin() as connection:
            self._known = _read(connection)
            self._write_mark(*self._known)

    def _read_mark(self) -> tuple[str, int] | None:
        try:
            fields = json.loads(self._mark.read_text("ascii"))
            return str(fields["journal"]), int(fields["paid_steps"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise OlderCopyError(f"{self._mark.name} is damaged") from error

    def _write_mark(self, journal: str, number: int) -> None:
        text = json.dumps({"journal": journal, "paid_steps": number}).ljust(_SIZE - 1) + "\n"
        file = os.open(self._mark, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        try:
            os.write(file, text.encode("ascii"))
            os.fsync(file)
        finally:
            os.close(file)


def _read(connection: sa.Connection) -> tuple[str, int]:
    row = connection.execute(sa.select(generation.c.journal, generation.c.number)).one()
    return str(row.journal), int(row.number)


def _checkpoint(engine: sa.Engine) -> None:
    with closing(engine.raw_connection()) as pooled:
        connection = pooled.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        (usual,) = connection.execute("PRAGMA busy_timeout").fetchone()
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.execute(f"PRAGMA busy_timeout={usual}")


def _inode(path: Path) -> _Inode | None:
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return facts.st_dev, facts.st_ino
