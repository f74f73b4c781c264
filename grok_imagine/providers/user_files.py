"""Provider files of the user's own: ``providers/*.toml`` in the data folder.

A file that cannot be used is named with its faults, and disturbs no other one. It holds no code. Of the environment
it gets nothing but the variable of its own connection: a file of a stranger could ask for any other key.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import SettingsError
from .base import Provider
from .definition_file import LONGEST_FILE, parse

FOLDER = "providers"
_MOST_FILES = 100
_RESERVED = frozenset({"sandbox"})
"""The names of connections that are always there."""


@dataclass(frozen=True)
class UserFile:
    """A file of the folder: its provider, or why it has none."""

    path: Path
    provider: Provider | None = None
    fault: str = ""

    @property
    def name(self) -> str:
        """The provider's name, as the file is called."""
        return self.path.stem


def own_key_variable(connection: str) -> str:
    """The environment variable of a connection's own key."""
    return f"GROK_IMAGINE_CONNECTIONS__{connection}__API_KEY".upper()


def user_files(home: Path, built_in: tuple[str, ...]) -> tuple[UserFile, ...]:
    """Every ``*.toml`` of the data folder ``home``, by name. Each is read again only when it has changed."""
    folder = home / FOLDER
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except OSError:
        return ()
    found = [_user_file(path, built_in) for path in paths[:_MOST_FILES]]
    found += [UserFile(path, fault=f"is one of more than {_MOST_FILES} files") for path in paths[_MOST_FILES:]]
    return tuple(found)


def read_user_file(path: Path, built_in: tuple[str, ...]) -> Provider:
    """The provider of a file of the user's. Raises SettingsError that names what is wrong, with its line."""
    try:
        facts = path.lstat()
        if not stat.S_ISREG(facts.st_mode):
            raise SettingsError(f"{path.name} is not a plain file: copy it here instead of linking to it.")
        if facts.st_size > LONGEST_FILE:
            raise SettingsError(
                f"{path.name} is larger than {LONGEST_FILE // 1024} KB; a provider file never needs that."
            )
        text = _read(path)
    except OSError as error:
        raise SettingsError(f"{path.name} cannot be read: {error.strerror or type(error).__name__}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path.name} is not UTF-8 text.") from None
    return provider_of(text, path.name, built_in)


def provider_of(text: str, file_name: str, built_in: tuple[str, ...]) -> Provider:
    """The provider that the text of a file ``file_name`` describes. Raises SettingsError."""
    definition = parse(text, source=file_name)
    name = definition.name
    if f"{name}.toml" != file_name:
        raise SettingsError(f"{file_name}: line 1, name: must be {file_name.removesuffix('.toml')!r}, as the file.")
    if name in built_in or name in _RESERVED:
        raise SettingsError(f"{file_name}: line 1, name: {name!r} is taken; give the file and the provider another.")
    key = definition.key.model_copy(update={"variable": own_key_variable(name)})
    return Provider(definition.model_copy(update={"key": key}))


def _read(path: Path) -> str:
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        return file.read(LONGEST_FILE + 1).decode("utf-8")


def _user_file(path: Path, built_in: tuple[str, ...]) -> UserFile:
    try:
        facts = path.lstat()
    except OSError as error:
        return UserFile(path, fault=f"{path.name} cannot be read: {error.strerror}.")
    return _cached(path, built_in, (facts.st_mtime_ns, facts.st_size, facts.st_ino))


@lru_cache(maxsize=4 * _MOST_FILES)
def _cached(path: Path, built_in: tuple[str, ...], _stamp: tuple[int, int, int]) -> UserFile:
    try:
        return UserFile(path, read_user_file(path, built_in))
    except SettingsError as error:
        return UserFile(path, fault=str(error))
