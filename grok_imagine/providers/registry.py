"""The providers by name: each is a file in ``definitions/``, read when it is first asked for, or one of the user's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from ..errors import SettingsError
from .base import Provider
from .definition_file import parse
from .user_files import UserFile, user_files

NAMES = ("reapi", "aivideoapi", "apiinone", "openai_videos", "xai")
"""Those that come with the pack, in the order in which users see them. A name is journaled: never rename one."""


class Providers(Mapping[str, Provider]):
    """The pack's own providers, then those of the data folder ``home``. Files that cannot be used are ``faulty``."""

    def __init__(self, home: Path | None = None) -> None:
        self.files: tuple[UserFile, ...] = () if home is None else user_files(home, NAMES)
        self._own = {file.name: file.provider for file in self.files if file.provider is not None}

    @property
    def faulty(self) -> dict[str, str]:
        """The names of the user's files that cannot be used, and why."""
        return {file.name: file.fault for file in self.files if file.fault}

    def __getitem__(self, name: str) -> Provider:
        return _built_in(name) if name in NAMES else self._own[name]

    def __iter__(self) -> Iterator[str]:
        yield from NAMES
        yield from self._own

    def __len__(self) -> int:
        return len(NAMES) + len(self._own)


@cache
def _built_in(name: str) -> Provider:
    file = Path(__file__).with_name("definitions") / f"{name}.toml"
    definition = parse(file.read_text("utf-8"), source=file.name)
    if definition.name != name:
        raise SettingsError(f"{file.name}: name must be {name!r}, as the file is called.")
    return Provider(definition)


PROVIDERS: Mapping[str, Provider] = Providers()
"""Those that come with the pack."""


def provider(name: str) -> Provider:
    """The provider of that name. Raises KeyError for one that is not in the list."""
    return PROVIDERS[name]
