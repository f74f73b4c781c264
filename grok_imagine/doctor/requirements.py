"""The packages that this pack requires on this machine: names, extras, oldest versions and environment markers."""

from __future__ import annotations

import operator
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*(\[[\w\s,.-]+\])?\s*>=\s*([0-9.]+)\s*(?:;(.*))?$")
_COMPARISON = re.compile(r"([a-z_]+)\s*(==|!=|<=|>=|<|>)\s*(?:'([^']*)'|\"([^\"]*)\")")
_GROUP = re.compile(r"\(([^()]*)\)")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_VERSIONS = ("python_version", "python_full_version")


class Requirement(NamedTuple):
    """One required package. ``extras`` is empty or in brackets, as pip takes it."""

    name: str
    extras: str
    oldest: str


def parse_requirements(lines: Iterable[str]) -> list[Requirement]:
    """The requirements that apply here, without those for other Pythons and systems or for an extra of this pack."""
    matches = (_REQUIREMENT.match(line) for line in lines)
    return [
        Requirement(match[1], match[2] or "", match[3])
        for match in matches
        if match and (match[4] is None or marker_applies(match[4]))
    ]


def marker_applies(marker: str) -> bool:
    """Whether an environment marker is true here. One that cannot be read is not: no package is called missing by it.

    Reads variables compared with quoted values, joined by ``and``, ``or`` and parentheses.
    """
    here = {
        "extra": "",
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_system": platform.system(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }

    def compare(match: re.Match[str]) -> str:
        name, wanted = match[1], match[3] if match[3] is not None else match[4]
        if name not in here:
            return "unknown"
        compared = _OPERATORS[match[2]]
        if name in _VERSIONS:
            return str(compared(parse_version(here[name]), parse_version(wanted)))
        return str(compared(here[name], wanted))

    text, groups = _COMPARISON.sub(compare, marker), 1
    while groups:
        text, groups = _GROUP.subn(lambda match: str(_is_true(match[1])), text)
    return _is_true(text)


def _is_true(text: str) -> bool:
    """Comparisons that were made, joined by ``and`` and ``or``."""
    return any(all(one.strip() == "True" for one in part.split(" and ")) for part in text.split(" or "))


def parse_version(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, for comparing: ``0.14.1rc1`` is (0, 14, 1)."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
