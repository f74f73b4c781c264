"""Changes parts of the settings file. Other parts stay unchanged, and invalid settings are never written."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from .errors import SettingsError
from .settings import FILE_NAME, Settings, faults_of, write_private

_lock = threading.Lock()


def read(home: Path) -> dict[str, Any]:
    """The file's content, including keys; empty if there is no file. Raises SettingsError."""
    path = home / FILE_NAME
    try:
        found: object = json.loads(path.read_text("utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {type(error).__name__}. Fix or delete it.") from None
    if not isinstance(found, dict):
        raise SettingsError(f"{path} cannot be read: not an object. Fix or delete it.")
    return cast("dict[str, Any]", found)


def change(home: Path, work: Callable[[dict[str, Any]], None]) -> None:
    """Let ``work`` change the file's content, validate all of it, and write it atomically.

    Raises SettingsError if the result is invalid; the file is then unchanged.
    """
    with _lock:
        stored = read(home)
        work(stored)
        try:
            Settings(**stored)
        except ValidationError as error:
            raise SettingsError(f"Not saved: {faults_of(error)}") from None
        write_private(home / FILE_NAME, json.dumps(stored, indent=2, ensure_ascii=False).encode())


def put(home: Path, section: str, name: str, fields: Mapping[str, Any]) -> None:
    """Set fields of one connection or store. None removes a field, so that its default applies."""

    def work(stored: dict[str, Any]) -> None:
        entry = stored.setdefault(section, {}).setdefault(name, {})
        for field, value in fields.items():
            if value is None:
                entry.pop(field, None)
            else:
                entry[field] = value

    change(home, work)


def remove(home: Path, section: str, name: str) -> None:
    """Remove one connection or store, including its keys."""

    def work(stored: dict[str, Any]) -> None:
        stored.get(section, {}).pop(name, None)
        if section == "stores":
            if stored.get("store") == name:
                del stored["store"]
            for connection in stored.get("connections", {}).values():
                if connection.get("store") == name:
                    del connection["store"]

    change(home, work)


def put_options(home: Path, options: Mapping[str, Any]) -> None:
    """Set options other than connections and stores. None removes an option."""

    def work(stored: dict[str, Any]) -> None:
        for name, value in options.items():
            if value is None:
                stored.pop(name, None)
            else:
                stored[name] = value

    change(home, work)
