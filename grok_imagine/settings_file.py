"""Changes parts of the settings file. Other parts stay unchanged, and invalid settings are never written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .settings import edit_settings


def put(home: Path, section: str, name: str, fields: Mapping[str, Any]) -> None:
    """Set fields of one connection or store. None removes a field, so that its default applies."""
    with edit_settings(home) as stored:
        entry = stored.setdefault(section, {}).setdefault(name, {})
        for field, value in fields.items():
            if value is None:
                entry.pop(field, None)
            else:
                entry[field] = value


def remove(home: Path, section: str, name: str) -> None:
    """Remove one connection or store, including its keys."""
    with edit_settings(home) as stored:
        stored.get(section, {}).pop(name, None)
        if section == "stores":
            if stored.get("store") == name:
                del stored["store"]
            for connection in stored.get("connections", {}).values():
                if connection.get("store") == name:
                    del connection["store"]


def put_options(home: Path, options: Mapping[str, Any]) -> None:
    """Set options other than connections and stores. None removes an option."""
    with edit_settings(home) as stored:
        for name, value in options.items():
            if value is None:
                stored.pop(name, None)
            else:
                stored[name] = value
