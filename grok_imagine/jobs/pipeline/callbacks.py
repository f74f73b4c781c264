"""Callbacks as hints: a provider may say that a task has ended, and all that comes of it is an earlier poll.

Nobody who calls is believed. AI Video API documents no signature (contract, part 4), so what a caller sends is never
read: the next poll, with our key, asks the provider itself. A token in the address says which job is meant. It is
derived from the job's id by a secret of the data folder, so that nothing has to be stored and it outlives a restart.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ...settings import private_folder, write_private

ROUTE = "/grok_imagine/callback"
KEY_FILE = "callback.key"
MIN_POLL_GAP = 2.0
"""Seconds between a poll and the one that a first call brings forward. It doubles with each call, so that calls that
come without end soon bring nothing forward any more."""
_KEY_BYTES = 32


class WakeSignal:
    """Whether somebody called, for one wait. Any thread may set it; the wait looks at it at each of its ticks."""

    def __init__(self) -> None:
        self._is_rung = False
        self._gap = MIN_POLL_GAP

    def set(self) -> None:
        """Somebody called."""
        self._is_rung = True

    def next_poll_at(self, asked: float, usual: float) -> float:
        """When the next poll is due, after the one at ``asked``: at its usual time, or earlier after a call."""
        return min(usual, asked + self._gap) if self._is_rung else usual

    def clear(self) -> None:
        """A poll goes out now: it answers every call up to here."""
        if self._is_rung:
            self._is_rung = False
            self._gap *= 2


class CallbackRegistry:
    """Who waits for whose call, in one process. Outlives its sessions, and is used from any thread.

    ``base`` is where the internet reaches this process, as the settings say it now; None: nobody is asked to call.
    """

    def __init__(self, home: Path, base: str | None = None) -> None:
        self.base = base
        self._home = home
        self._lock = threading.Lock()
        self._key_lock = threading.Lock()  # its own: whoever calls must not wait for a disk
        self._key: bytes | None = None
        self._waiting: dict[bytes, list[WakeSignal]] = {}

    def token(self, job_id: str) -> str:
        """The token that stands for the job. Reads a file once; OSError where that can neither be read nor made."""
        digest = hmac.new(self._secret(), job_id.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def address(self, job_id: str) -> str:
        """Where the provider may call when the job's task has ended. Raises OSError as :meth:`token` does."""
        return f"{self.base}{ROUTE}/{self.token(job_id)}"

    @contextmanager
    def register(self, token: str, hint: WakeSignal) -> Generator[None]:
        """Ring ``hint`` for each call with the token, as long as the context lasts."""
        name = _name(token)
        with self._lock:
            self._waiting.setdefault(name, []).append(hint)
        try:
            yield
        finally:
            with self._lock:
                self._waiting[name].remove(hint)
                if not self._waiting[name]:
                    del self._waiting[name]

    def wake(self, token: str) -> None:
        """Somebody called with this token. It returns at once, and tells nobody whether anybody listens."""
        with self._lock:
            for hint in self._waiting.get(_name(token), ()):
                hint.set()

    def _secret(self) -> bytes:
        with self._key_lock:
            if self._key is None:
                self._key = self._load_or_create_secret()
            return self._key

    def _load_or_create_secret(self) -> bytes:
        """The secret of the data folder, made where there is none.

        Should two processes make one at the same moment, the calls for one of them find nobody after its restart.
        """
        path = self._home / KEY_FILE
        found = path.read_bytes() if path.is_file() else b""
        if len(found) != _KEY_BYTES:
            found = secrets.token_bytes(_KEY_BYTES)
            private_folder(self._home)
            write_private(path, found)
        return found


def _name(token: str) -> bytes:
    # Looked up by its hash: how long a look-up takes says nothing of how near a guess was.
    return hashlib.sha256(token.encode()).digest()
