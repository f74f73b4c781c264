"""Commands for providers and their files: list them, and check a file against the sandbox."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from ...jobs.checks.provider_file import FileCheck, check_file, read_reply
from ...providers.registry import Providers
from .. import console
from ..session import AsJson, Home, default_home

app = typer.Typer(help="List providers, and check a provider file without an account.", no_args_is_help=True)


@app.command("list")
def list_providers(as_json: AsJson = False, home: Home = None) -> None:
    """List the providers of the pack and those of your own files, with what is wrong with a file."""
    with console.report_errors(as_json):
        providers = Providers(home or default_home())
        own = {file.name: file.path for file in providers.files}
        rows: list[dict[str, Any]] = [
            {
                "name": name,
                "label": provider.label,
                "modes": ", ".join(dict.fromkeys(one.mode.value for one in provider.capabilities)),
                "prices_seen": str(provider.definition.prices_seen or "") or None,
                "file": str(own[name]) if name in own else None,
                "fault": None,
            }
            for name, provider in providers.items()
        ]
        blank: dict[str, Any] = dict.fromkeys(rows[0])
        rows += [
            {**blank, "name": name, "file": str(own[name]), "fault": fault} for name, fault in providers.faulty.items()
        ]
        if as_json:
            console.print_json(rows)
        else:
            console.print_table(rows)


@app.command("check")
def check(
    file: Annotated[str, typer.Argument(help="A provider file, or the name of a provider of the pack.")],
    reply: Annotated[
        list[Path] | None, typer.Option(help="A real answer of the provider (JSON): show what is read in it. Repeat.")
    ] = None,
    bodies: Annotated[bool, typer.Option(help="Print each body, to compare with the provider's documentation.")] = True,
    as_json: AsJson = False,
) -> None:
    """Try a provider file on the sandbox, without account or network. Exits with 3 if a check fails."""
    with console.report_errors(as_json):
        answers = [{"file": str(path), "read": read_reply(file, path)} for path in reply or []]
        checks = asyncio.run(_run(file, as_json=as_json, bodies=bodies))
        faults = [one for one in checks if one.fault]
        if as_json:
            rows = [{"check": one.name, "fault": one.fault, "place": one.place, "body": one.body} for one in checks]
            console.print_json({"is_good": not faults, "checks": rows, "replies": answers})
        else:
            for answer in answers:
                console.out.print(f"{answer['file']}: {answer['read']}", soft_wrap=True)
            console.out.print(f"{len(checks) - len(faults)} of {len(checks)} checks passed")
    if faults:
        raise typer.Exit(3)


async def _run(file: str, *, as_json: bool, bodies: bool) -> list[FileCheck]:
    checks: list[FileCheck] = []
    async for one in check_file(file):
        checks.append(one)
        if as_json:
            continue
        if bodies and one.body:
            console.out.print(f"      {one.body}", soft_wrap=True, style="dim")
        state = "FAILED" if one.fault else "ok"
        console.out.print(f"{state:6}  {one.name}", soft_wrap=True)
        if one.fault:
            console.out.print(f"        {one.fault}\n        to fix: {one.place}", soft_wrap=True)
    return checks
