"""The settings as they are now: read again whenever their file has changed, and what the pack asks of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...grok_imagine.errors import SettingsError

if TYPE_CHECKING:
    from ...grok_imagine.jobs.connections import Profile
    from ...grok_imagine.settings import Settings

Stamp = tuple[int, int, int]


class CurrentSettings:
    """The settings of a data folder, for any thread. Invalid settings are reported where they are used."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._read: tuple[Stamp | None, Settings | None] | None = None

    def stamp(self) -> Stamp | None:
        """Changes whenever the settings file changes; None if there is no file."""
        from ...grok_imagine.settings import FILE_NAME

        try:
            found = (self._home / FILE_NAME).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def profiles(self) -> dict[str, Profile]:
        """Every connection that can be chosen, the sandbox first; with invalid settings, those that need none."""
        from ...grok_imagine.jobs.connections import profiles
        from ...grok_imagine.settings import Settings

        return profiles(self._current() or Settings.model_construct())

    def connection_fault(self, name: str) -> str | None:
        """Why there is no such connection, in the engine's words; None where there is one."""
        if name in self.profiles():
            return None
        from ...grok_imagine.jobs.connections import profile
        from ...grok_imagine.settings import load

        try:
            profile(load(self._home), name)
        except SettingsError as error:
            return str(error)
        return None

    def public_hosts(self) -> frozenset[str]:
        """The host names at which the internet reaches this ComfyUI; mostly there is none."""
        settings = self._current()
        stores = settings.stores.values() if settings else ()
        named = (
            urlsplit(one.public_base_url).hostname for one in stores if one.kind == "comfyui" and one.public_base_url
        )
        return frozenset(host for host in named if host)

    def page_hosts(self) -> frozenset[str]:
        """The names of the public DNS under which this ComfyUI's own users open it."""
        settings = self._current()
        return frozenset(host.lower() for host in settings.hosts) if settings else frozenset()

    def takes_callbacks(self) -> bool:
        """Whether its owner lets providers call when a clip is done."""
        settings = self._current()
        return settings is not None and settings.public_callback_base is not None

    def has_journal(self) -> bool:
        """Whether there is a journal yet, in the data folder or in a database. Reading must not create one."""
        from ...grok_imagine.journal.database import FILE_NAME

        settings = self._current()
        return (settings is not None and settings.database_url is not None) or (self._home / FILE_NAME).exists()

    def takes_remote_settings(self) -> bool:
        """Whether its owner lets keys and settings be changed from other machines."""
        settings = self._current()
        return settings is not None and settings.allow_remote_settings

    def takes_remote_actions(self) -> bool:
        """Whether its owner lets jobs be resumed, submitted again and removed from other machines."""
        settings = self._current()
        return settings is not None and (settings.allow_remote_actions or settings.allow_remote_settings)

    def _current(self) -> Settings | None:
        """The settings; None while they are invalid."""
        from ...grok_imagine.settings import load

        stamp = self.stamp()
        if self._read is None or self._read[0] != stamp:
            try:
                self._read = (stamp, load(self._home))
            except SettingsError:
                self._read = (stamp, None)
        return self._read[1]
