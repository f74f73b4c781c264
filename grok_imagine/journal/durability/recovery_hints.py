"""What to do if the journal cannot be used, chosen by the error of the database or the system."""

from __future__ import annotations

import errno

_LOCKED = (
    "Another program has it locked. Close anything else that uses it (a hung ComfyUI, a backup, a database browser), "
    "then try again."
)
_FULL = "The disk is full: free some space, then try again."
_FAILING = "The disk is full or failing: free some space or check the disk, then try again."
_CLOSED = "The file or its folder is read-only. Fix the permissions or mount it for writing, then try again."
DAMAGED = (
    "The file is damaged. Nothing is submitted until it is readable, so that you don't pay twice. Restore a backup, or "
    "repair a copy of journal.db and journal.db-wal (sqlite3 journal.db .recover). To start over, move these files and "
    "journal.generation away. You can then get paid clips by the task ids on the provider's dashboard: "
    "grok-imagine collect"
)
_OLDER = (
    "Nothing is submitted, so that you don't pay twice. Put the newest journal.db and journal.db-wal back. If they are "
    "lost, delete journal.generation to go on without them. Requests that were sent since are then unknown here and "
    "would be sent again, so first get their clips by the task ids on the provider's dashboard: grok-imagine collect"
)
_REPLACED = (
    "Nothing is submitted, so that you don't pay twice. Close every program that uses the journal. If you have the "
    "file, put it back. Then try again."
)
_NEWER = "A newer version of this pack wrote it. Update the pack, then try again."
CHECK_SERVER = "Check that the server is running and accepts connections, then try again."
_OTHERWISE = "Free disk space or fix the file's permissions, then try again."

# Parts of SQLite's messages (https://sqlite.org/rescode.html); Python 3.10 does not provide the error codes.
_MESSAGES = (
    ("can't locate revision", _NEWER),
    ("locked", _LOCKED),
    ("disk is full", _FULL),
    ("disk i/o error", _FAILING),
    ("readonly", _CLOSED),
    ("unable to open", _CLOSED),
    ("not a database", DAMAGED),
    ("malformed", DAMAGED),
)
_ERRNO_HINTS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: _CLOSED,
    errno.EACCES: _CLOSED,
    errno.EPERM: _CLOSED,
}


class DamagedError(ValueError):
    """The journal's file is damaged."""


class OlderCopyError(ValueError):
    """The journal's file lacks paid steps that were stored before."""


class ReplacedError(ValueError):
    """One of the journal's files was deleted or replaced while it was in use."""


_HINTS: dict[type[BaseException], str] = {DamagedError: DAMAGED, OlderCopyError: _OLDER, ReplacedError: _REPLACED}


def hint_for(error: BaseException) -> str:
    """Why the journal's file cannot be used, and what to do, in one or more sentences."""
    if type(error) in _HINTS:
        return _HINTS[type(error)]
    if isinstance(error, OSError) and error.errno in _ERRNO_HINTS:
        return _ERRNO_HINTS[error.errno]
    text = str(error).lower()
    return next((hint for words, hint in _MESSAGES if words in text), _OTHERWISE)


def is_full(error: BaseException) -> bool:
    """Whether freeing disk space would help."""
    return hint_for(error) in (_FULL, _FAILING)
