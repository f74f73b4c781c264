"""Room kept free for the one line that must not be lost: the id of a task that is paid.

A disk that fills up while a POST is under way could not take the answer any more. So some space lies ready in a
file of its own beside the journal; before the POST it must be there, and after it, when the disk is full, it goes.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

SIZE = 256 * 1024
"""Some dozens of pages of the write-ahead log; one job's lines take fewer than ten."""


class DiskReserve:
    """The file ``journal.reserve`` in the journal's folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.reserve"

    def fill(self) -> None:
        """Make sure of the room. Raises OSError where there is none."""
        with suppress(FileNotFoundError):
            if self.path.stat().st_size >= SIZE:
                return
        opened = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(opened, "wb") as file:
                # Bytes that a compressing file system cannot make small, nor a sparse file leave out.
                file.write(os.urandom(SIZE))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            self.path.unlink(missing_ok=True)
            raise

    def spend(self) -> bool:
        """Give the room up; whether there was any."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True
