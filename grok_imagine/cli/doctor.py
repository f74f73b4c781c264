"""``grok-imagine doctor``: one page on how all of it stands, which can be shown to strangers as it is."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import textwrap
import time
from itertools import groupby
from typing import Annotated

import typer

from ..doctor.doctor import run_checks
from ..doctor.environment import Check, today
from . import console
from .session import AsJson, Home, default_home

_WIDTH = 100
_MARKS = {"ok": "ok", "note": "note", "fault": "FAULT"}


def doctor(
    stores: Annotated[
        bool, typer.Option("--stores", help="Also put a picture into each store, and delete it.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no provider whether it answers.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Check everything, spend nothing, and print a page for an issue: no key, no prompt, no signed URL is in it.

    Each connection's base URL is asked once, without its key. Exit code 3 where something is at fault.
    """
    with console.report_errors(as_json):
        checks = asyncio.run(run_checks((home or default_home()).absolute(), with_stores=stores, offline=offline))
    faults = sum(check.grade == "fault" for check in checks)
    if as_json:
        console.print_json({"faults": faults, "checks": [dataclasses.asdict(check) for check in checks]})
    else:
        sys.stdout.write(page(checks, time.time()))
    if faults:
        raise typer.Exit(3)


def page(checks: list[Check], now: float) -> str:
    """The checks as plain text, part by part."""
    lines = [f"grok-imagine doctor, {today(now)}"]
    for part, of_part in groupby(checks, key=lambda check: check.part):
        lines += ["", part]
        for check in of_part:
            lines += _lines(check)
    faults = [check for check in checks if check.grade == "fault"]
    notes = sum(check.grade == "note" for check in checks)
    names = ", ".join(dict.fromkeys(f"{check.part}: {check.name}" for check in faults))
    lines += ["", f"{len(faults)} faults ({names}), {notes} notes" if faults else f"no fault, {notes} notes"]
    return "\n".join(lines) + "\n"


def _lines(check: Check) -> list[str]:
    head = f"  {_MARKS[check.grade]:<6}{check.name:<18}"
    indent = " " * (len(head) + 1)
    lines = textwrap.wrap(
        check.text, _WIDTH, initial_indent=f"{head} ", subsequent_indent=indent, break_long_words=False
    )
    lines = lines or [head.rstrip()]
    if check.advice and check.grade != "ok":
        more = textwrap.wrap(
            check.advice,
            _WIDTH,
            initial_indent=f"{indent}-> ",
            subsequent_indent=f"{indent}   ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines += more
    return lines
