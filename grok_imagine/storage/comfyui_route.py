"""The store for a ComfyUI on the public internet: the pack serves each file itself, under an unguessable token.

This module keeps the files; the HTTP route finds them by :meth:`PublicFiles.find`. A token is valid until it expires.
Only its hash is stored, as the file's name, so the folder's content does not reveal working URLs.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import StorageError
from ..models import Blob
from ..private_files import private_folder, write_private
from .base import PublicFile, min_remaining_seconds

ROUTE = "/grok_imagine/public"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class ServedFile:
    """A file to serve."""

    path: Path
    media_type: str


class PublicFiles:
    """The folder of temporarily public files."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._now = now

    def put(self, blob: Blob, expires_at: float) -> str:
        """Store a copy of the blob and return its token. Raises OSError if it cannot be written."""
        token = secrets.token_urlsafe(32)
        name = _name(token)
        facts = {"media_type": blob.media_type, "expires_at": expires_at}
        write_private(private_folder(self._folder) / f"{name}.{blob.extension}", blob.data)
        write_private(self._folder / f"{name}.json", json.dumps(facts).encode())
        return token

    def find(self, token: str) -> ServedFile | None:
        """The file of a valid token, or None."""
        if not _TOKEN.fullmatch(token):
            return None
        name = _name(token)
        try:
            facts = json.loads((self._folder / f"{name}.json").read_text("utf-8"))
            (path,) = (path for path in self._folder.glob(f"{name}.*") if path.suffix != ".json")
            live = float(facts["expires_at"]) > self._now()
            return ServedFile(path, str(facts["media_type"])) if live else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remove(self, token: str) -> None:
        """Delete a public file."""
        if _TOKEN.fullmatch(token):
            self._discard(_name(token))

    def sweep(self) -> int:
        """Delete expired files and return how many."""
        count = 0
        for facts in self._folder.glob("*.json"):
            try:
                expired = float(json.loads(facts.read_text("utf-8"))["expires_at"]) <= self._now()
            except (OSError, ValueError, KeyError, TypeError):
                expired = True
            if expired:
                count += self._discard(facts.stem)
        return count

    def _discard(self, name: str) -> bool:
        """Delete a file and then its expiry record. False if Windows refuses because the file is being read."""
        try:
            for path in sorted(self._folder.glob(f"{name}.*"), key=lambda path: path.suffix == ".json"):
                path.unlink(missing_ok=True)
        except PermissionError:
            return False
        return True


class ComfyUIRoute:
    """Publishes files through this ComfyUI's public base URL."""

    def __init__(
        self,
        name: str,
        base_url: str,
        public_files: PublicFiles,
        *,
        lifetime_seconds: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._base_url = base_url
        self._files = public_files
        self._lifetime = lifetime_seconds
        self._now = now

    @property
    def min_remaining_seconds(self) -> float:
        """Seconds that a stored URL must still be valid to be reused."""
        return min_remaining_seconds(self._lifetime)

    async def publish(self, blob: Blob) -> PublicFile:
        """Copy the blob into the public folder. Raises StorageError if it cannot be written."""
        expires_at = self._now() + self._lifetime
        try:
            self._files.sweep()
            token = self._files.put(blob, expires_at)
        except OSError as error:
            raise StorageError(
                f"The store {self.name!r} cannot keep the file: {error.strerror}. Nothing was sent or charged."
            ) from error
        return PublicFile(f"{self._base_url}{ROUTE}/{token}", expires_at, token)

    async def remove(self, key: str) -> None:
        """Delete the file now."""
        self._files.remove(key)


def _name(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
