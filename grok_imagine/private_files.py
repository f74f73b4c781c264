"""Writes files and creates folders that only their owner can access."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .filelock import replace_file
from .privacy import ensure_private


def write_private(path: Path, data: bytes) -> None:
    """Atomically write ``data`` to ``path``. The file and its folder are accessible only to their owner."""
    private_folder(path.parent)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            ensure_private(Path(temporary))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        replace_file(Path(temporary), path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def private_folder(path: Path) -> Path:
    """Create the folder ``path`` if it is missing, make it accessible only to its owner, and return it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return ensure_private(path)
