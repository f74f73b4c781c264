"""File locks and atomic replacement between processes, on POSIX and Windows.

A lock ends when its file is closed or the process ends.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

# An offset beyond any content: Windows denies others access to the locked bytes.
_FAR = 1 << 40

if sys.platform == "win32":
    import msvcrt

    def try_lock(file: int) -> bool:
        """Try to lock an open file by its descriptor, without waiting. Returns whether it was locked."""
        try:
            os.lseek(file, _FAR, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(file, 0, os.SEEK_SET)
        return True

    def is_locked(file: int) -> bool:
        """Whether another descriptor has locked the open file."""
        if not try_lock(file):
            return True
        unlock(file)
        return False

    def unlock(file: int) -> None:
        """Release the lock before the file is closed."""
        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)

else:
    import fcntl

    def try_lock(file: int) -> bool:
        """Try to lock an open file by its descriptor, without waiting. Returns whether it was locked."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another has it, or a file system without locks
            return False
        return True

    def is_locked(file: int) -> bool:
        """Whether another descriptor has locked the open file; False on a file system without locks."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        unlock(file)
        return False

    def unlock(file: int) -> None:
        """Release the lock before the file is closed."""
        fcntl.flock(file, fcntl.LOCK_UN)


@contextmanager
def file_lock(path: Path, seconds: float = 10.0) -> Generator[None]:
    """Hold a lock on the file ``path``, which is created if missing and not removed.

    If the lock is not free within ``seconds``, or on a file system without locks, the body runs without it: callers
    make small changes in one atomic step.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    end = time.monotonic() + seconds
    try:
        while not (is_ours := try_lock(file)) and time.monotonic() < end:
            time.sleep(0.02)
        try:
            yield
        finally:
            if is_ours:
                unlock(file)
    finally:
        os.close(file)


@contextmanager
def partial_file(target: Path) -> Generator[Path]:
    """A path beside ``target`` that no other caller gets. The block creates the file.

    It replaces ``target`` when the block ends. After an error it is removed, and ``target`` is unchanged. Raises
    OSError.
    """
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield partial
        replace_file(partial, target)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def replace_file(source: Path, target: Path, seconds: float = 5.0) -> None:
    """Rename ``source`` to ``target`` atomically, replacing an existing file. Raises OSError.

    Windows refuses this while another program, such as a browser or virus scanner, reads the target. There it is
    retried for ``seconds``.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if os.name == "posix" or time.monotonic() > end:
                raise
        time.sleep(0.02)
