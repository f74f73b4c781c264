"""A film's shots as values, and one shot read from the fields of a line, a CSV row or a JSON object."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from ..errors import Violation
from ..models import Blob

MAX_SHOTS = 500
MAX_TAKES = 50
CUT, CONTINUE = "cut", "continue"
_ALIASES = {"seconds": "duration", "duration_seconds": "duration"}
FIELDS = ("prompt", "duration", "transition", "seed", "take", "takes", "references")
_SEED_MAX = 2**31 - 1
_LIMITS = {"duration": (1, 3600), "seed": (0, _SEED_MAX), "take": (1, MAX_TAKES), "takes": (1, MAX_TAKES)}
OPTIONS = "cut, continue, 8s, seed 7, take 2, take 2 of 4, 4 takes, @name"
"""What may stand in the brackets before a prompt."""
_OPTIONS = (
    ("transition", re.compile(r"(cut|continue)", re.I)),
    ("duration", re.compile(r"(\d{1,9})\s*(?:s|sec|seconds?)", re.I)),
    ("seed", re.compile(r"seed\s*=?\s*(\d{1,10})", re.I)),
    ("take", re.compile(r"take\s*(\d{1,9})(?:\s*(?:of|/)\s*(?P<takes>\d{1,9}))?", re.I)),
    ("takes", re.compile(r"(\d{1,9})\s*takes?", re.I)),
    ("references", re.compile(r"@(\w+)")),
)


@dataclass(frozen=True)
class Shot:
    """One shot. ``line`` is where it stands in its list, from 1. None leaves a choice to the film.

    ``continues``: it starts from the last frame of the shot before. ``take`` is the take that the film uses; with
    ``takes`` all takes from 1 to that number are made, else only the one that is used. ``references`` are names of the
    cast that the prompt does not mention.
    """

    line: int
    prompt: str
    continues: bool = False
    duration_seconds: int | None = None
    seed: int | None = None
    take: int = 1
    takes: int | None = None
    references: tuple[str, ...] = ()

    @property
    def made_takes(self) -> tuple[int, ...]:
        """The numbers of the takes to make."""
        return tuple(range(1, self.takes + 1)) if self.takes else (self.take,)


Image = Blob | str
"""An image of the cast: its bytes, or a path or URL."""
Member = tuple[str, tuple[Image, ...]]
"""A name and its images."""


@dataclass(frozen=True)
class ShotList:
    """The shots of a film in order, and the cast that the list itself names."""

    shots: tuple[Shot, ...]
    cast: tuple[Member, ...] = field(default=())


def parse_options(text: str, line: int) -> tuple[dict[str, object], list[Violation]]:
    """The fields that the options before a prompt state, such as ``continue, 8s, take 2 of 4``."""
    fields: dict[str, object] = {}
    names: list[str] = []
    faults: list[Violation] = []
    for option in filter(None, (one.strip() for one in re.split(r"[,;]", text))):
        name, match = next(((name, found) for name, one in _OPTIONS if (found := one.fullmatch(option))), ("", None))
        if match is None:
            message = (
                f"unknown option {option[:40]!r}; expected {OPTIONS}. Before a prompt that starts with [, put [cut]"
            )
            faults.append(Violation("F1", f"line {line}", message))
        elif name == "references":
            names.append(match[1])
        elif name in fields:
            faults.append(Violation("F1", f"line {line}", f"states {name} twice"))
        else:
            fields |= {key: value for key, value in match.groupdict().items() if value} | {name: match[1]}
    return {**fields, **({"references": names} if names else {})}, faults


def shot_of_fields(line: int, given: Mapping[str, object]) -> tuple[Shot | None, list[Violation]]:
    """The shot that ``given`` describes, or every fault in it. An empty value means the film's own."""
    named = {_ALIASES.get(key.strip().lower(), key.strip().lower()): value for key, value in given.items()}
    stated = {key: value for key, value in named.items() if value not in (None, "", [])}
    faults = [
        Violation("F2", f"line {line}", f"unknown field {key[:40]!r}; expected one of: {', '.join(FIELDS)}")
        for key in sorted(stated.keys() - set(FIELDS))
    ]
    numbers: dict[str, int] = {}
    for key, (low, high) in _LIMITS.items():
        value = stated.get(key)
        if value is None:
            continue
        number = _integer(value)
        if number is None or not low <= number <= high:
            faults.append(Violation("F2", f"line {line}, {key}", f"must be {low} to {high}, got {str(value)[:20]!r}"))
        else:
            numbers[key] = number
    prompt, transition = str(stated.get("prompt", "")).strip(), str(stated.get("transition", CUT)).strip().lower()
    if not prompt:
        faults.append(Violation("F2", f"line {line}", "has no prompt"))
    if transition not in (CUT, CONTINUE):
        faults.append(Violation("F2", f"line {line}, transition", f"must be cut or continue, got {transition[:20]!r}"))
    take, takes = numbers.get("take", 1), numbers.get("takes")
    if takes is not None and take > takes:
        faults.append(Violation("F2", f"line {line}, take", f"take {take} is used, but only {takes} are made"))
    if faults:
        return None, faults
    references = tuple(_names(stated.get("references")))
    is_continued = transition == CONTINUE
    shot = Shot(line, prompt, is_continued, numbers.get("duration"), numbers.get("seed"), take, takes, references)
    return shot, []


def _integer(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if re.fullmatch(r"\d{1,10}", text) else None


def _names(value: object) -> Iterator[str]:
    """Names from a list, or from a text with commas, spaces or | between them; with or without @."""
    items = cast("list[object]", value) if isinstance(value, list) else [value or ""]
    for item in items:
        yield from (name.lstrip("@") for name in re.split(r"[,|\s]+", str(item)) if name.strip("@"))
