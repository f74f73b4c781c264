"""``grok-imagine doctor``: checks the installation and prints a report that is safe to share."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import textwrap
import time
from itertools import groupby
from typing import Annotated

import typer

from ...doctor.doctor import run_checks
from ...doctor.environment import Check, format_time
from .. import console
from ..session import AsJson, Home, default_home

_WIDTH = 100
_MARKS = {"ok": "ok", "note": "note", "fault": "FAULT"}


def doctor(
    stores: Annotated[
        bool, typer.Option("--stores", help="Also test each store: upload a small image and delete it.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Skip network checks.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Check the installation and print a report for bug reports. It contains no keys, prompts or signed URLs.

    Costs nothing: each connection's base URL is requested once, without a key. Exits with 3 if a check fails.
    """
    with console.report_errors(as_json):
        checks = asyncio.run(run_checks((home or default_home()).absolute(), with_stores=stores, offline=offline))
    faults = sum(check.grade == "fault" for check in checks)
    if as_json:
        console.print_json({"faults": faults, "checks": [dataclasses.asdict(check) for check in checks]})
    else:
        sys.stdout.write(format_report(checks, time.time()))
    if faults:
        raise typer.Exit(3)


def format_report(checks: list[Check], now: float) -> str:
    """The checks as plain text, grouped by part."""
    lines = [f"grok-imagine doctor, {format_time(now)}"]
    for part, checks_of_part in groupby(checks, key=lambda check: check.part):
        lines += ["", part]
        for check in checks_of_part:
            lines += _format_check(check)
    faults = [check for check in checks if check.grade == "fault"]
    notes = sum(check.grade == "note" for check in checks)
    names = ", ".join(dict.fromkeys(f"{check.part}: {check.name}" for check in faults))
    lines += ["", f"{len(faults)} faults ({names}), {notes} notes" if faults else f"no fault, {notes} notes"]
    return "\n".join(lines) + "\n"


def _format_check(check: Check) -> list[str]:
    head = f"  {_MARKS[check.grade]:<6}{check.name:<18}"
    indent = " " * (len(head) + 1)
    lines = textwrap.wrap(
        check.text, _WIDTH, initial_indent=f"{head} ", subsequent_indent=indent, break_long_words=False
    )
    lines = lines or [head.rstrip()]
    if check.advice and check.grade != "ok":
        advice = textwrap.wrap(
            check.advice,
            _WIDTH,
            initial_indent=f"{indent}-> ",
            subsequent_indent=f"{indent}   ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines += advice
    return lines
