"""The providers by name: each is a file in ``definitions/``, read when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import SettingsError
from . import definition
from .base import Provider

NAMES = ("reapi", "aivideoapi", "apiinone", "openai_videos", "xai")
"""In the order in which users see them. A name is journaled: never rename one."""


class _Providers(Mapping[str, Provider]):
    """The providers, each read once."""

    def __init__(self) -> None:
        self._read: dict[str, Provider] = {}

    def __getitem__(self, name: str) -> Provider:
        if name not in self._read:
            if name not in NAMES:
                raise KeyError(name)
            file = Path(__file__).with_name("definitions") / f"{name}.toml"
            read = definition.parse(file.read_text("utf-8"), source=file.name)
            if read.name != name:
                raise SettingsError(f"{file.name}: name must be {name!r}, as the file is called.")
            self._read[name] = Provider(read)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


PROVIDERS: Mapping[str, Provider] = _Providers()


def provider(name: str) -> Provider:
    """The provider of that name. Raises KeyError for one that is not in the list."""
    return PROVIDERS[name]
