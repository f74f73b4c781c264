"""Reads a shot list: one shot a line, CSV, JSON lines, or a Markdown list or table."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from ..errors import RequestError, Violation
from .shots import MAX_SHOTS, Member, Shot, ShotList, parse_options, shot_of_fields

_MAX_FAULTS_SHOWN = 50
_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,4}[.)])\s+(?:\[[ xX]\]\s+)?(?=\S)")
"""The marker of a Markdown list item, with or without a check box."""
_BRACKETS = re.compile(r"\[([^\[\]]*)\]\s*")
_CAST = re.compile(r"@(\w+)\s*=\s*(.*)")
_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*")
"""The line between a Markdown table's head and its rows."""


def read_file(path: Path) -> ShotList:
    """The shot list in a text, .csv, .jsonl or .md file. Raises one RequestError with the faults of all lines."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path.name} cannot be read: {error}. Use a text, CSV, JSONL or Markdown file.") from None
    kind = path.suffix.lower()
    return read_csv(text) if kind == ".csv" else read_text(text, is_markdown=kind in (".md", ".markdown"))


def read_text(text: str, *, is_markdown: bool = False) -> ShotList:
    """The shot list in a text: one shot a line, CSV if the first line is a header, or a Markdown list or table.

    Lines that begin with # are headings or comments. In Markdown only list items and rows of a table are shots. A line
    ``@anna = anna.png, side.png`` names the images of a member of the cast.
    """
    lines = text.splitlines()
    head = next((line for line in lines if line.strip()), "")
    if not is_markdown and "," in head and "prompt" in [name.strip().lower() for name in head.split(",")]:
        return read_csv(text)
    reader = _Reader()
    names: list[str] = []
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("|"):
            names = reader.table_row(number, line, names)
            continue
        names = []
        item = _ITEM.match(line)
        content = line[item.end() :].strip() if item else line.strip()
        is_shot = bool(item) or not is_markdown or content.startswith(("{", "@"))
        if content and not content.startswith("#") and is_shot:
            reader.line(number, content)
    return reader.finish()


def read_csv(text: str) -> ShotList:
    """The shot list in CSV text with a header. An empty cell means the film's own value."""
    rows = csv.reader(io.StringIO(text.lstrip()), skipinitialspace=True, strict=True)
    reader, start = _Reader(), text[: len(text) - len(text.lstrip())].count("\n")
    try:
        names = [name.strip().lower() for name in next(rows, list[str]())]
        for cells in rows:
            if any(cell.strip() for cell in cells):
                reader.row(start + rows.line_num, names, cells)
    except csv.Error as error:
        message = f"cannot be read: {error}; check the quotes before it"
        reader.faults.append(Violation("F1", f"line {start + rows.line_num}", message))
    return reader.finish()


class _Reader:
    """Collects shots, cast and faults."""

    def __init__(self) -> None:
        self.shots: list[Shot] = []
        self.cast: list[Member] = []
        self.faults: list[Violation] = []

    def line(self, number: int, content: str) -> None:
        """One shot or one member of the cast."""
        if match := _CAST.fullmatch(content):
            images = tuple(one.strip() for one in match[2].split(",") if one.strip())
            self.cast.append((match[1], images))
        elif content.startswith("{"):
            self._add(number, self._json(number, content))
        else:
            options = _BRACKETS.match(content)
            fields, faults = parse_options(options[1], number) if options else ({}, [])
            self.faults += faults
            self._add(number, None if faults else {**fields, "prompt": content[options.end() if options else 0 :]})

    def table_row(self, number: int, line: str, names: list[str]) -> list[str]:
        """One line of a Markdown table. Returns the names of its columns."""
        if _RULE.fullmatch(line):
            return names
        cells = [cell.replace(r"\|", "|").strip() for cell in _cells(line)]
        if not names:
            return [cell.lower() for cell in cells]
        self.row(number, names, cells)
        return names

    def row(self, number: int, names: list[str], cells: list[str]) -> None:
        """A row of cells under a header."""
        if len(cells) > len(names):
            self.faults.append(Violation("F1", f"line {number}", "has more cells than the header; quote commas"))
        else:
            self._add(number, dict(zip(names, cells, strict=False)))

    def finish(self) -> ShotList:
        """The list. Raises RequestError with all faults."""
        if self.shots and self.shots[0].continues:
            message = "the first shot cannot continue: there is no shot before it"
            self.faults.append(Violation("F3", f"line {self.shots[0].line}", message))
        if self.faults:
            raise RequestError(
                "The shot list cannot be read. Nothing was sent or charged.", self.faults[:_MAX_FAULTS_SHOWN]
            )
        if not 1 <= len(self.shots) <= MAX_SHOTS:
            raise RequestError(
                f"The shot list has {len(self.shots)} shots; use 1 to {MAX_SHOTS}. Nothing was sent or charged."
            )
        return ShotList(tuple(self.shots), tuple(self.cast))

    def _json(self, number: int, content: str) -> Mapping[str, object] | None:
        try:
            found: object = json.loads(content)
        except (ValueError, RecursionError) as error:
            self.faults.append(Violation("F1", f"line {number}", f"is no JSON object: {error}"))
            return None
        return cast("Mapping[str, object]", found)

    def _add(self, number: int, fields: Mapping[str, object] | None) -> None:
        if fields is None:
            return
        shot, faults = shot_of_fields(number, fields)
        self.faults += faults
        if shot is not None:
            self.shots.append(shot)


def _cells(line: str) -> Iterator[str]:
    """The cells of a Markdown table's row, with ``\\|`` left as it is."""
    inner = line.strip().removeprefix("|")
    yield from re.split(r"(?<!\\)\|", inner[:-1] if inner.endswith("|") and not inner.endswith(r"\|") else inner)
