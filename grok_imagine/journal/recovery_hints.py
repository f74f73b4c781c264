"""What to do about a journal that cannot be used, by what the database or the system says of it."""

from __future__ import annotations

import errno

_LOCKED = (
    "Another program keeps it locked: close whatever else has it open (a second ComfyUI that hangs, a backup, a "
    "database browser), then try again."
)
_FULL = "The disk is full: free some space, then try again."
_FAILING = "The disk is full or fails: free some space or see to the disk, then try again."
_CLOSED = "The file or its folder cannot be written: mend the permissions, or mount it for writing, then try again."
DAMAGED = (
    "The file is damaged. Nothing is submitted while it cannot tell what was paid for. Put back a backup, or mend it "
    "(sqlite3 journal.db .recover, on a copy of journal.db and journal.db-wal). To begin anew, move both away; clips "
    "that were paid then come by their task ids from the provider's dashboard (grok-imagine collect)."
)
_NEWER = "It was written by a newer version of this pack: update the pack, then try again."
MEND_SERVER = "See that the server runs and takes connections, then try again."
_OTHERWISE = "Free disk space or mend the file's permissions, then try again."

# The words of SQLite's own messages (https://sqlite.org/rescode.html); Python 3.10 does not give their codes.
_WORDS = (
    ("can't locate revision", _NEWER),
    ("locked", _LOCKED),
    ("disk is full", _FULL),
    ("disk i/o error", _FAILING),
    ("readonly", _CLOSED),
    ("unable to open", _CLOSED),
    ("not a database", DAMAGED),
    ("malformed", DAMAGED),
)
_NUMBERS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: _CLOSED,
    errno.EACCES: _CLOSED,
    errno.EPERM: _CLOSED,
}


class DamagedError(ValueError):
    """The journal's file is not what was written there."""


def hint_for(error: BaseException) -> str:
    """One or two sentences: why the file of the journal cannot be used, and the way out."""
    if isinstance(error, DamagedError):
        return DAMAGED
    if isinstance(error, OSError) and error.errno in _NUMBERS:
        return _NUMBERS[error.errno]
    text = str(error).lower()
    return next((told for words, told in _WORDS if words in text), _OTHERWISE)


def is_full(error: BaseException) -> bool:
    """Whether room on the disk would help."""
    return hint_for(error) in (_FULL, _FAILING)
