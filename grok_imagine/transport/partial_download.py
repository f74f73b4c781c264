"""The part of a download that is here already: what a later try goes on from, also in another process."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..filelock import is_locked, replace_file, try_lock, unlock

_MOVES_OPEN_FILES = os.name == "posix"
"""Windows renames and removes no file that is open, here or in another process."""


@dataclass
class PartialDownload:
    """A file beside ``target``, ours alone while it is open; ``.<name>.part``, with what it is a part of beside it.

    Where another walker has that file open, or nothing is to be kept, it is one of its own that goes in the end.
    """

    target: Path
    path: Path
    file: BinaryIO
    is_kept: bool
    validator: str = ""
    """The ETag or date that tells whether the server still has the same file."""
    total: int | None = None

    @classmethod
    def open(cls, target: Path, *, keep: bool) -> PartialDownload:
        """The part that an earlier try left, or an empty one. Raises OSError."""
        if keep:
            path = target.with_name(f".{target.name}.part")
            file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600), "r+b")
            if try_lock(file.fileno()):
                if _is_still(file, path):
                    return cls(target, path, file, True)._remembered()
                unlock(file.fileno())
            file.close()
        path = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        return cls(target, path, os.fdopen(os.open(path, flags, 0o600), "r+b"), False)

    @property
    def size(self) -> int:
        """Bytes that are here; only as many as can be gone on from."""
        return os.fstat(self.file.fileno()).st_size if self.validator else 0

    def begin(self, at: int, validator: str, total: int | None) -> None:
        """Write from byte ``at`` on; what lay behind it goes. Remembers what the whole will be."""
        self.file.seek(at)
        self.file.truncate(at)
        self.validator, self.total = validator, total
        if self.is_kept:
            known = json.dumps({"validator": validator, "total": total}).encode()
            note = os.open(self._note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(note, "wb") as file:
                file.write(known)

    def forget(self) -> None:
        """Nothing of it is of use: the next try begins anew."""
        self.begin(0, "", None)

    def finish(self) -> None:
        """The part is whole: it takes the target's name."""
        self.file.flush()
        os.fsync(self.file.fileno())
        if not _MOVES_OPEN_FILES:
            self._release()
        replace_file(self.path, self.target)
        self._note.unlink(missing_ok=True)
        self._release()

    def close(self) -> None:
        """Let go of it. What another try can go on from stays."""
        if self.file.closed:
            return
        with suppress(OSError):
            self.file.flush()  # the size is the file's own
        is_of_use = self.is_kept and self.size > 0
        self._release()
        if not is_of_use:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
                self._note.unlink(missing_ok=True)

    def _release(self) -> None:
        if self.is_kept and not self.file.closed:
            with suppress(OSError):
                unlock(self.file.fileno())
        self.file.close()

    @property
    def _note(self) -> Path:
        return note_of(self.path)

    def _remembered(self) -> PartialDownload:
        with suppress(OSError, ValueError):
            known: Any = json.loads(self._note.read_bytes())
            if isinstance(known, dict):
                stated = cast("dict[str, Any]", known)
                validator, total = stated.get("validator"), stated.get("total")
                self.validator = validator if isinstance(validator, str) else ""
                self.total = total if isinstance(total, int) else None
        return self


def note_of(path: Path) -> Path:
    """The file beside a part that says what it is a part of."""
    return path.with_name(path.name + ".json")


def is_in_use(path: Path) -> bool:
    """Whether a download, of this process or another, is writing to that part now."""
    try:
        file = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    except OSError:
        return False
    try:
        return is_locked(file)
    finally:
        os.close(file)


def discard(path: Path, changed_at: float) -> bool:
    """Remove a part and its note; False where a download uses it, or has since ``changed_at``. Raises OSError."""
    file = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        is_ours = try_lock(file)  # whoever opens it from here on takes a part of its own
        if (not is_ours and is_locked(file)) or os.fstat(file).st_mtime != changed_at:
            return False
        note_of(path).unlink(missing_ok=True)
        if _MOVES_OPEN_FILES:
            path.unlink()
        if is_ours:
            unlock(file)
    finally:
        os.close(file)
    if not _MOVES_OPEN_FILES:
        path.unlink()
    return True


def _is_still(file: BinaryIO, path: Path) -> bool:
    """Whether the open file still has that name: another walker may have finished it just before we locked it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except OSError:
        return False
