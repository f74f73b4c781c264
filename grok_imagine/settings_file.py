"""The settings file, changed part by part: what is not named stays, and nothing that is faulty is ever written."""

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
    """What the file holds, keys included; nothing where there is none. Raises SettingsError."""
    path = home / FILE_NAME
    try:
        found: object = json.loads(path.read_text("utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {type(error).__name__}. Mend or remove it.") from None
    if not isinstance(found, dict):
        raise SettingsError(f"{path} cannot be read: not an object. Mend or remove it.")
    return cast("dict[str, Any]", found)


def change(home: Path, work: Callable[[dict[str, Any]], None]) -> None:
    """Let ``work`` change what the file holds, check all of it, and write it in one step.

    Raises SettingsError for what would be faulty; the file is then as it was.
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
    """Set fields of one connection or store; None takes a field out, and it is the default's again."""

    def work(stored: dict[str, Any]) -> None:
        entry = stored.setdefault(section, {}).setdefault(name, {})
        for field, value in fields.items():
            if value is None:
                entry.pop(field, None)
            else:
                entry[field] = value

    change(home, work)


def remove(home: Path, section: str, name: str) -> None:
    """Take one connection or store out, its keys with it."""

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
    """Set the settings that are not connections or stores; None takes one out."""

    def work(stored: dict[str, Any]) -> None:
        for name, value in options.items():
            if value is None:
                stored.pop(name, None)
            else:
                stored[name] = value

    change(home, work)
