"""A partial download, which a later try can resume, also in another process."""

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
"""Windows cannot rename or delete a file that is open in any process."""


@dataclass
class PartialDownload:
    """The file ``.NAME.part`` beside ``target``, locked while it is open, and a note with its ETag and total size.

    If another run has it open, or it is not to be kept, this is a temporary file instead.
    """

    target: Path
    path: Path
    file: BinaryIO
    is_kept: bool
    validator: str = ""
    """The ETag or date that shows whether the server still has the same file; empty if it cannot be resumed."""
    total: int | None = None

    @classmethod
    def open(cls, target: Path, *, keep: bool) -> PartialDownload:
        """The partial download of an earlier try, or an empty one. Raises OSError."""
        if keep:
            path = target.with_name(f".{target.name}.part")
            file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600), "r+b")
            if try_lock(file.fileno()):
                if _is_still(file, path):
                    return cls(target, path, file, True)._with_note()
                unlock(file.fileno())
            file.close()
        path = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        return cls(target, path, os.fdopen(os.open(path, flags, 0o600), "r+b"), False)

    @property
    def size(self) -> int:
        """The number of bytes from which the download can be resumed."""
        return os.fstat(self.file.fileno()).st_size if self.validator else 0

    def begin(self, at: int, validator: str, total: int | None) -> None:
        """Prepare to write from byte ``at`` on; truncates the rest. Stores the validator and total size."""
        self.file.seek(at)
        self.file.truncate(at)
        self.validator, self.total = validator, total
        if self.is_kept:
            content = json.dumps({"validator": validator, "total": total}).encode()
            note = os.open(self._note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(note, "wb") as file:
                file.write(content)

    def forget(self) -> None:
        """Discard the content, so that the next try starts over."""
        self.begin(0, "", None)

    def finish(self) -> None:
        """Rename the complete file to the target."""
        self.file.flush()
        os.fsync(self.file.fileno())
        if not _MOVES_OPEN_FILES:
            self._release()
        replace_file(self.path, self.target)
        self._note.unlink(missing_ok=True)
        self._release()

    def close(self) -> None:
        """Close and unlock the file. Deletes it unless another try can resume it."""
        if self.file.closed:
            return
        with suppress(OSError):
            self.file.flush()  # the size is read from the file
        is_resumable = self.is_kept and self.size > 0
        self._release()
        if not is_resumable:
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

    def _with_note(self) -> PartialDownload:
        """This object, with the validator and total size of the note."""
        with suppress(OSError, ValueError):
            content: Any = json.loads(self._note.read_bytes())
            if isinstance(content, dict):
                fields = cast("dict[str, Any]", content)
                validator, total = fields.get("validator"), fields.get("total")
                self.validator = validator if isinstance(validator, str) else ""
                self.total = total if isinstance(total, int) else None
        return self


def note_of(path: Path) -> Path:
    """The path of a partial download's note."""
    return path.with_name(path.name + ".json")


def is_in_use(path: Path) -> bool:
    """Whether a download of this or another process has that partial file open."""
    try:
        file = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    except OSError:
        return False
    try:
        return is_locked(file)
    finally:
        os.close(file)


def discard(path: Path, changed_at: float) -> bool:
    """Delete a partial download and its note. False if it is in use or has changed since. Raises OSError."""
    file = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        is_ours = try_lock(file)  # from now on other downloads use temporary files
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
    """Whether the open file still has that name: another run may have finished it just before the lock."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except OSError:
        return False
