"""Reads a request's body by the template that a provider's file writes it by."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from ..model import Json
from .base import as_list, as_object

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_SAME = {"resolution_or_default": "resolution", "duration_text": "duration"}
"""Placeholders that stand for the value of another."""


class Mismatch(Exception):
    """A body that this template does not write, and why."""


def merge(*templates: Json) -> Json:
    """One template of several: tables are joined, and the later one counts."""
    whole: Json = {}
    for template in templates:
        for name, value in template.items():
            before, table = as_object(whole.get(name)), as_object(value)
            whole[name] = merge(before, table) if before is not None and table is not None else value
    return whole


def match(template: Json, body: Json) -> Json:
    """The values that the placeholders stand for. Raises Mismatch for a field that the template has not."""
    found: Json = {}
    _match(template, body, "", found)
    if "image" in found:
        found["images"] = [*found.get("images", []), *found.pop("image")]
    return found


def _match(template: Any, value: Any, where: str, found: Json) -> None:
    table, items = as_object(template), as_list(template)
    whole = _PLACEHOLDER.fullmatch(template) if isinstance(template, str) else None
    if whole:
        _take(whole[1], value, where, found)
    elif table is not None:
        _match_table(table, value, where, found)
    elif items is not None:
        values = as_list(value)
        if values is None:
            raise Mismatch(f"{where} must be a list")
        for index, one in enumerate(values):
            _match(items[min(index, len(items) - 1)], one, where, found)
    elif value != (float(template) if isinstance(template, Decimal) else template):
        raise Mismatch(f"{where} must be {template!r}")


def _match_table(table: Json, value: Any, where: str, found: Json) -> None:
    fields = as_object(value)
    if fields is None:
        raise Mismatch(f"{where} must be an object")
    for name in fields:
        if name not in table:
            raise Mismatch(f"unknown field {where}{name}")
    for name, part in table.items():
        if name in fields:
            _match(part, fields[name], f"{where}{name}" if as_object(part) is None else f"{where}{name}.", found)
        elif _is_fixed(part):
            raise Mismatch(f"{where}{name} is missing")


def _take(name: str, value: Any, where: str, found: Json) -> None:
    name = _SAME.get(name, name)
    if value is None or value in ("", [], {}):
        raise Mismatch(f"{where} is empty")
    if name == "image":
        found.setdefault("image", []).append(value)
        return
    if name == "duration" and isinstance(value, str) and value.isdigit():
        value = int(value)
    if found.setdefault(name, value) != value:
        raise Mismatch(f"{where} contradicts another field")


def _is_fixed(part: Any) -> bool:
    """Whether the template sends this whatever the request is."""
    table, items = as_object(part), as_list(part)
    if table is not None:
        return any(_is_fixed(one) for one in table.values())
    if items is not None:
        return any(_is_fixed(one) for one in items)
    return not (isinstance(part, str) and _PLACEHOLDER.fullmatch(part))
