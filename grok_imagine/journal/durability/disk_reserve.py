"""Reserves disk space for the task ids of paid jobs.

If the disk fills up during a POST, the answer could not be stored. So two things must exist before a POST is sent: a
reserve file, which is deleted on a full disk to make room for the journal, and a small file for this POST alone. If
the journal cannot be written at all, for whatever reason, the task id is written into that file, in place.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...private_files import private_folder

SIZE = 256 * 1024
"""Bytes: about 60 pages of the write-ahead log; storing one job's answer takes fewer than ten."""
_ANSWER_SIZE = 4096
"""Bytes: a block of most file systems."""
_UNUSED_SECONDS = 24 * 3600.0
"""After this time a file without an answer was left by a process that was killed."""


class DiskReserve:
    """The file ``journal.reserve`` in the journal's folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.reserve"

    def fill(self) -> None:
        """Create the reserve file if it is missing. Raises OSError if the disk has no space for it."""
        with suppress(FileNotFoundError):
            if self.path.stat().st_size >= SIZE:
                return
        _allocate(self.path, SIZE)

    def release(self) -> bool:
        """Delete the reserve file. Returns whether it existed."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True


@dataclass(frozen=True)
class Answer:
    """A task id that is stored in ``path`` and not in the journal yet."""

    path: Path
    job_id: str
    task_id: str
    submitted_at: float | None


class AnswerReserve:
    """The folder ``journal.answers``: one file for each POST under way, by its job's id and this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "journal.answers"
        self._suffix = f".{secrets.token_hex(4)}"

    def prepare(self, job_id: str) -> None:
        """Reserve the space for a job's answer. Raises OSError if there is none."""
        private_folder(self._folder)
        _allocate(self._path(job_id), _ANSWER_SIZE)

    def store(self, job_id: str, answer: Mapping[str, Any]) -> None:
        """Write the answer into the job's file, in place, so that it needs no space. An OSError is suppressed."""
        fields = {"job_id": job_id, "task_id": answer["task_id"], "submitted_at": answer.get("submitted_at")}
        with suppress(OSError), self._path(job_id).open("r+b") as file:
            file.write(json.dumps(fields).encode().ljust(_ANSWER_SIZE))
            file.flush()
            os.fsync(file.fileno())

    def discard(self, job_id: str) -> None:
        """Remove the job's file."""
        with suppress(OSError):
            self._path(job_id).unlink()

    def read(self) -> list[Answer]:
        """The stored answers. Removes old files without one."""
        if not self._folder.is_dir():
            return []
        answers: list[Answer] = []
        for path in sorted(self._folder.iterdir()):
            with suppress(OSError):
                try:
                    answers.append(Answer(path, **json.loads(path.read_bytes())))
                except (ValueError, TypeError):
                    if time.time() - path.stat().st_mtime > _UNUSED_SECONDS:
                        path.unlink()
        return answers

    def _path(self, job_id: str) -> Path:
        return self._folder / (job_id + self._suffix)


def _allocate(path: Path, size: int) -> None:
    """Create a file that takes up ``size`` bytes of the disk. Raises OSError if there is no space."""
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(opened, "wb") as file:
            # Random bytes, since a file system may compress others or store zeros as a sparse file.
            file.write(os.urandom(size))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise
