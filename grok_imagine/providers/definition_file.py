"""Reads a provider's TOML file. What is wrong in it is named with its line and field, all at once."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any, cast

from pydantic import ValidationError

from ..errors import SettingsError
from ..models import Capability, Mode
from .body import Template, faults_of_template
from .definition import Definition

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.-]+)\s*\]")
_KEY = re.compile(r"\s*[\"']?([\w.-]+)[\"']?\s*=")
LONGEST_FILE = 64 * 1024
"""Bytes. The largest file here has less than a tenth of it."""
_MOST_IMAGES = 7
"""What Grok's models take at most."""
_LONGEST_CLIP = 600
_HIGHEST_PRICE = Decimal(1000)
"""Seconds, and US dollars for one clip or one second: a larger number is a slip of the pen."""


Location = tuple[int | str, ...]
"""The names and numbers that lead to a value, as pydantic gives them."""


def parse(text: str, *, source: str) -> Definition:
    """The definition in a file's text. Raises SettingsError that names every fault, with its line.

    ``source`` is how the error names the file.
    """
    if len(text.encode("utf-8", "replace")) > LONGEST_FILE:
        raise SettingsError(f"{source} is larger than {LONGEST_FILE // 1024} KB; a provider file never needs that.")
    content: dict[str, Any] = {}
    try:
        content = tomllib.loads(text, parse_float=Decimal)
        definition = Definition.model_validate(content)
        faults = list(_faults_of(definition))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source} is not TOML: {error}.") from None
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        faults = [(one["loc"], one["msg"].removeprefix("Value error, ")) for one in found]
    except RecursionError:
        raise SettingsError(f"{source} is nested too deeply.") from None
    else:
        if not faults:
            return definition
    lines = text.splitlines()
    described = {_describe(_in_file(loc, content), message, lines): None for loc, message in faults}
    raise SettingsError("\n  - ".join([f"{source} cannot be used:", *described]))


def _faults_of(definition: Definition) -> Iterator[tuple[Location, str]]:
    """What is wrong with values that are right each for itself."""
    submit = definition.submit
    bodies: list[tuple[Location, Template]] = [(("submit", "body"), submit.body)]
    bodies += [(("submit", "variants", index, "body"), one.body) for index, one in enumerate(submit.variants)]
    for loc, body in bodies:
        yield from (((*loc, *inner), message) for inner, message in faults_of_template(body))
    known: set[tuple[Mode, str]] = set()
    for index, one in enumerate(definition.capabilities):
        yield from ((("capabilities", index, *inner), message) for inner, message in _faults_of_capability(one))
        if (one.mode, one.model) in known:
            yield ("capabilities", index, "model"), "the same model has the same mode twice"
        known.add((one.mode, one.model))


def _faults_of_capability(one: Capability) -> Iterator[tuple[Location, str]]:
    if not re.fullmatch(r"[!-~]{1,96}", one.model):
        yield ("model",), "must have 1 to 96 characters without spaces"
    if not 0 <= one.min_images <= one.max_images <= _MOST_IMAGES:
        yield ("max_images",), f"must be 0 to {_MOST_IMAGES}, and not below min_images"
    span = one.duration
    if span and not 1 <= span.shortest <= (span.default or span.shortest) <= span.longest <= _LONGEST_CLIP:
        yield ("duration",), f"must be 1 to {_LONGEST_CLIP} seconds, in the order shortest, default, longest"
    for name in ("aspect_ratios", "resolutions", "motion_modes"):
        if not all(re.fullmatch(r"[A-Za-z0-9:._-]{1,20}", choice) for choice in getattr(one, name)):
            yield (name,), "a choice has 1 to 20 letters, digits and : . _ -"
    for name, choices in (("default_aspect_ratio", one.aspect_ratios), ("default_resolution", one.resolutions)):
        if getattr(one, name) not in (None, *choices):
            yield (name,), "is not one of the choices"
    if one.price:
        amounts = [one.price.per_clip, *one.price.per_second.values()]
        if any(not 0 <= amount * one.price.usd_per_credit <= _HIGHEST_PRICE for amount in amounts):
            yield ("price",), f"must be 0 to {_HIGHEST_PRICE} US dollars for a clip or a second"


def _in_file(loc: Location, content: Mapping[str, Any]) -> Location:
    """``loc`` as the file has it: capabilities are counted there before each is spread over its models."""
    listed = content.get("capabilities")
    if loc[:1] != ("capabilities",) or len(loc) < 2 or not isinstance(listed, list):
        return loc
    owners: list[tuple[int, Any]] = []
    for index, entry in enumerate(cast("list[Any]", listed)):
        model: Any = cast("dict[str, Any]", entry).get("model") if isinstance(entry, dict) else None
        owners += [(index, entry)] * (len(cast("list[Any]", model)) if isinstance(model, list) else 1)
    _, number, *inner = loc
    index, entry = owners[number] if isinstance(number, int) and number < len(owners) else (number, None)
    limits = content.get("limits")
    if inner and isinstance(entry, dict) and isinstance(limits, dict) and inner[0] not in entry and inner[0] in limits:
        return ("limits", *inner)
    return ("capabilities", index, *inner)


def _describe(loc: Location, message: str, lines: list[str]) -> str:
    where = ".".join(str(part) for part in loc)
    return f"line {line_of(loc, lines)}, {where}: {message}" if where else f"line 1: {message}"


def line_of(loc: Location, lines: list[str]) -> int:
    """The line, counted from 1, that holds the innermost part of ``loc`` that the text names; 1 where it names none."""
    wanted = [str(part) for part in loc if isinstance(part, str)]
    # For [[capabilities]]: how many headers of that name come before the one that is meant.
    skipped = {str(name): part for name, part in pairwise(loc) if isinstance(part, int)}
    table: list[str] = []
    headers: dict[str, int] = {}
    best, depth = 1, 0
    for number, line in enumerate(lines, 1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            table = header[2].split(".")
            headers[table[-1]] = headers.get(table[-1], -1) + (header[1] == "[[")
        here = table if header else [*table, *key[1].split(".")] if key else []
        is_meant = all(headers[name] == skipped[name] for name in here if name in skipped and name in headers)
        if len(here) > depth and here == wanted[: len(here)] and is_meant:
            best, depth = number, len(here)
    return best
