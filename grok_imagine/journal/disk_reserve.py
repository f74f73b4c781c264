"""Reserves disk space for the task id of a paid job.

If the disk fills up during a POST, the answer could not be stored. So a reserve file beside the journal holds some
space: it must exist before the POST, and is deleted if the disk is full after it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

SIZE = 256 * 1024
"""Bytes: about 60 pages of the write-ahead log; storing one job's answer takes fewer than ten."""


class DiskReserve:
    """The file ``journal.reserve`` in the journal's folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.reserve"

    def fill(self) -> None:
        """Create the reserve file if it is missing. Raises OSError if the disk has no space for it."""
        with suppress(FileNotFoundError):
            if self.path.stat().st_size >= SIZE:
                return
        opened = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(opened, "wb") as file:
                # Random bytes, since a file system may compress others or store zeros as a sparse file.
                file.write(os.urandom(SIZE))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            self.path.unlink(missing_ok=True)
            raise

    def release(self) -> bool:
        """Delete the reserve file. Returns whether it existed."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True
