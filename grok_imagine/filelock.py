"""Files that several processes use, on POSIX and Windows: a lock on an open one, and taking the place of another.

A lock ends with its file, or with the process.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

# Far behind any content: Windows keeps others from the very bytes that are locked.
_FAR = 1 << 40

if sys.platform == "win32":
    import msvcrt

    def try_lock(file: int) -> bool:
        """Lock the open file, given by its descriptor, if nobody else has; say whether it is ours."""
        try:
            os.lseek(file, _FAR, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(file, 0, os.SEEK_SET)
        return True

    def is_held(file: int) -> bool:
        """Whether somebody else has the open file locked."""
        if not try_lock(file):
            return True
        unlock(file)
        return False

    def unlock(file: int) -> None:
        """End the lock before the file is closed."""
        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)

else:
    import fcntl

    def try_lock(file: int) -> bool:
        """Lock the open file, given by its descriptor, if nobody else has; say whether it is ours."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another has it, or a file system without locks
            return False
        return True

    def is_held(file: int) -> bool:
        """Whether somebody else has the open file locked. On a file system without locks nobody has."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        unlock(file)
        return False

    def unlock(file: int) -> None:
        """End the lock before the file is closed."""
        fcntl.flock(file, fcntl.LOCK_UN)


@contextmanager
def file_lock(path: Path, seconds: float = 10.0) -> Generator[None]:
    """Hold the lock on the file ``path``, which is made for it and stays.

    After so many seconds, or on a file system without locks, go on without: what is held up here is small, and done
    in one step.
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


def replace_file(source: Path, target: Path, seconds: float = 5.0) -> None:
    """Give ``source`` the name ``target`` in one step, whatever had it. Raises OSError.

    Windows refuses that while somebody reads the target, as a browser, a virus scanner or another thread does for a
    moment: there it is tried again for so many seconds.
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
