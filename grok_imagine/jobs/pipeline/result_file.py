"""A saved clip's size and SHA-256, which show whether the file is damaged."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ...media.mux.mp4_check import fault_of_file
from ...models import Job


def measure(path: Path) -> tuple[int, str]:
    """The file's size in bytes and its SHA-256. Raises OSError."""
    return path.stat().st_size, file_digest(path)


def is_intact(job: Job, path: Path) -> bool:
    """Whether the file is the job's clip.

    A file of another size may be one that its user has edited, or that another machine has downloaded: it counts as
    intact if it is a whole MP4 file. So does the clip of a job that has no size and SHA-256.
    """
    try:
        if path.stat().st_size == job.file_size:
            return file_digest(path) == job.file_sha256
        return fault_of_file(path) is None
    except OSError:
        return False


def file_digest(path: Path) -> str:
    """The file's SHA-256 in hexadecimal digits. Raises OSError."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
