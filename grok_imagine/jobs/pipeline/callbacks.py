"""Callbacks: when a provider calls that a task has ended, the job's next poll is sent earlier. Nothing else changes.

The calls are unauthenticated, as AI Video API documents no signature (contract, part 4), so their bodies are never
read: the next poll asks the provider itself. A token in the address names the job. It is derived from the job's id
with a secret of the data folder, so nothing has to be stored, and it is still valid after a restart.
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

from ...private_files import private_folder, write_private

ROUTE = "/grok_imagine/callback"
KEY_FILE = "callback.key"
MIN_POLL_GAP = 2.0
"""The minimum seconds between a poll and the next one after a call. It doubles with each call, so that endless calls
soon have no effect."""
_KEY_BYTES = 32


class WakeSignal:
    """Whether a callback has arrived for a waiting job. Any thread may set it; the wait checks it every second."""

    def __init__(self) -> None:
        self._is_set = False
        self._gap = MIN_POLL_GAP

    def set(self) -> None:
        """A callback has arrived."""
        self._is_set = True

    def next_poll_at(self, last: float, scheduled: float) -> float:
        """When the next poll is due, after the one at ``last``: at ``scheduled``, or earlier after a callback."""
        return min(scheduled, last + self._gap) if self._is_set else scheduled

    def clear(self) -> None:
        """Call this when a poll is sent, which covers all earlier callbacks."""
        if self._is_set:
            self._is_set = False
            self._gap *= 2


class CallbackRegistry:
    """The jobs that wait for a callback, in one process, across sessions. Can be used from any thread.

    ``base`` is the public base URL of the callback route, as in the settings now; None: no callbacks are requested.
    """

    def __init__(self, home: Path, base: str | None = None) -> None:
        self.base = base
        self._home = home
        self._lock = threading.Lock()
        self._key_lock = threading.Lock()  # separate, so that a callback does not wait for the disk
        self._key: bytes | None = None
        self._waiting: dict[bytes, list[WakeSignal]] = {}

    def token(self, job_id: str) -> str:
        """The job's token. Reads the secret's file once. Raises OSError if it can neither be read nor created."""
        digest = hmac.new(self._secret(), job_id.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def address(self, job_id: str) -> str:
        """The URL for the provider to call when the job's task has ended. Raises OSError as :meth:`token` does."""
        return f"{self.base}{ROUTE}/{self.token(job_id)}"

    @contextmanager
    def register(self, token: str, signal: WakeSignal) -> Generator[None]:
        """Set ``signal`` at each callback with the token, until the context ends."""
        name = _name(token)
        with self._lock:
            self._waiting.setdefault(name, []).append(signal)
        try:
            yield
        finally:
            with self._lock:
                self._waiting[name].remove(signal)
                if not self._waiting[name]:
                    del self._waiting[name]

    def wake(self, token: str) -> None:
        """Handle a callback with this token. Returns at once, without saying whether a job waits for it."""
        with self._lock:
            for signal in self._waiting.get(_name(token), ()):
                signal.set()

    def _secret(self) -> bytes:
        with self._key_lock:
            if self._key is None:
                self._key = self._load_or_create_secret()
            return self._key

    def _load_or_create_secret(self) -> bytes:
        """The secret of the data folder. Creates it if there is none.

        If two processes create it at the same moment, callbacks for one of them have no effect after its restart.
        """
        path = self._home / KEY_FILE
        secret = path.read_bytes() if path.is_file() else b""
        if len(secret) != _KEY_BYTES:
            secret = secrets.token_bytes(_KEY_BYTES)
            private_folder(self._home)
            write_private(path, secret)
        return secret


def _name(token: str) -> bytes:
    # A look-up by the hash takes a time that does not depend on how close a guess was.
    return hashlib.sha256(token.encode()).digest()
