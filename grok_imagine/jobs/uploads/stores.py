"""Chooses and opens the store for a connection's uploads."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path

from ...errors import SettingsError
from ...private_files import private_folder, write_private
from ...settings import Settings, StoreSettings
from ...storage.base import NoStore, Store
from ...storage.bucket import BucketStore
from ...storage.comfyui_route import ComfyUIRoute, PublicFiles
from ...storage.inline import InlineStore
from ...storage.sandbox import Post, SandboxStore
from ..connections import Connection

PUBLIC_FILES = "public"
_SECRET_FILE = "uploads.secret"  # noqa: S105 - a file's name


class Stores:
    """The stores of the settings."""

    def __init__(self, home: Path, settings: Settings, post: Post, now: Callable[[], float] = time.time) -> None:
        self._home = home
        self._settings = settings
        self._post = post
        self._now = now

    def choose(self, connection: Connection) -> Store:
        """The store for a connection's uploads. Raises SettingsError for an unknown name.

        In order: the connection's store, the settings' store, the only store that is set up; the sandbox's own upload
        for a sandbox; data URIs within the request if the dialect accepts them. No public host is used by default.
        """
        settings = self._settings.connections.get(connection.name)
        name = (settings.store if settings else None) or (None if connection.sandbox_url else self._settings.store)
        if name:
            return self.open(name, hours=connection.provider.longest_job_hours)
        if connection.sandbox_url:
            return SandboxStore(connection.sandbox_url, self._post)
        if len(self._settings.stores) == 1:
            return self.open(next(iter(self._settings.stores)), hours=connection.provider.longest_job_hours)
        if connection.provider.takes_data_uris:
            return InlineStore()
        return NoStore(several=tuple(self._settings.stores))

    def default(self) -> Store:
        """The settings' store, for an upload without a connection. Raises SettingsError if none is chosen."""
        name = self._settings.store
        if name is None and len(self._settings.stores) == 1:
            name = next(iter(self._settings.stores))
        if name is None:
            raise SettingsError(
                f"No store is chosen; there is: {', '.join(self._settings.stores) or 'none yet'}. Name one, or set "
                '"store" in the settings. See docs/uploads.md.'
            )
        return self.open(name)

    def open(self, name: str, *, hours: float = 24) -> BucketStore | ComfyUIRoute:
        """The store of that name. ``hours``: its URLs' lifetime if the settings have none. Raises SettingsError."""
        settings = self._settings.stores.get(name)
        if settings is None:
            known = ", ".join(self._settings.stores) or "none yet"
            raise SettingsError(f"There is no store {name!r}. Set up: {known}. Nothing was sent or charged.")
        lifetime = (settings.url_hours or hours) * 3600
        if settings.kind == "comfyui":
            if not settings.public_base_url:
                raise SettingsError(
                    f"The store {name!r} needs public_base_url, the URL at which the internet reaches this ComfyUI."
                )
            return ComfyUIRoute(
                name, settings.public_base_url, self.public_files(), lifetime_seconds=lifetime, now=self._now
            )
        if not settings.bucket:
            raise SettingsError(f"The store {name!r} has no bucket. Set one in the settings.")
        return BucketStore(name, settings, secret=self._secret(), lifetime_seconds=lifetime, now=self._now)

    def for_results(self) -> BucketStore | None:
        """The bucket to which finished clips are copied, or None. Raises SettingsError if it is not a bucket."""
        if self._settings.results_store is None:
            return None
        store = self.open(self._settings.results_store)
        if not isinstance(store, BucketStore):
            raise SettingsError(f"results_store must name a bucket, but {store.name!r} is not one.")
        return store

    def settings_of(self, name: str) -> StoreSettings | None:
        """The settings of a store, or None."""
        return self._settings.stores.get(name)

    def deletes_after(self, name: str) -> bool:
        """Whether an upload to that store is deleted when every job that used it is final."""
        settings = self.settings_of(name)
        return settings is not None and settings.delete_after

    def public_files(self) -> PublicFiles:
        """The files that this ComfyUI serves itself."""
        return PublicFiles(self._home / PUBLIC_FILES, self._now)

    def _secret(self) -> bytes:
        """The secret from which this installation derives object names. Creates it once, readable only by its owner."""
        path = private_folder(self._home) / _SECRET_FILE
        if not path.exists():
            write_private(path, secrets.token_bytes(32))
        return path.read_bytes()
