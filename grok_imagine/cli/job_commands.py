"""Commands that decide about jobs and tidy up: again, drop, prune."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..errors import JobFailed
from ..jobs import Session
from ..jobs.prune import PruneResult
from . import console
from .session import AsJson, Home, handle_interrupt, with_session


def again(
    job: Annotated[str, typer.Argument(help="A job of unknown outcome; see: grok-imagine jobs")],
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask: it may be paid twice, and that is meant.")
    ] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Submit a job of unknown outcome again, knowing that the first may have been billed too."""
    with console.report_errors(as_json):
        console.confirm(
            "If the provider took the first request, it bills both. Look at its dashboard first. Submit again?", yes
        )
        told = ""
        with console.Bar() as bar, handle_interrupt(home, bar):

            async def work(session: Session) -> tuple[str, Path | None]:
                anew = await session.again(job)
                try:
                    return anew.id, (await session.resume(anew.id, progress=bar)).file
                except JobFailed as error:
                    if (await session.journal.get(anew.id) or anew).task_id is None:
                        nonlocal told
                        told = str(error)
                        return anew.id, None
                    raise

            job_id, file = with_session(home, work)
        if as_json:
            console.print_json({"job_id": job_id, "file": str(file) if file else None, "note": told})
        else:
            console.out.print(str(file) if file else told, soft_wrap=True, markup=False)


def drop(job: str, as_json: AsJson = False, home: Home = None) -> None:
    """Give a job up. Where the provider cannot cancel it goes on there and is billed; you are told so."""
    with console.report_errors(as_json):
        dropped = with_session(home, lambda session: session.drop(job))
        if as_json:
            console.print_json({**console.job_as_json(dropped.job), "note": dropped.text})
        else:
            console.out.print(dropped.text, soft_wrap=True, markup=False)


def prune(
    max_gb: Annotated[float | None, typer.Option(min=0, help="Keep at most so much; else as the settings say.")] = None,
    max_days: Annotated[float | None, typer.Option(min=0, help="Keep at most so long; else as the settings.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking what can be fetched again.")] = False,
    for_good: Annotated[bool, typer.Option(help="Remove also what no provider keeps any more.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Remove the oldest results over the limits. What cannot be fetched again stays, unless you say so."""

    async def work(session: Session, apply: bool) -> PruneResult:
        return await session.prune(apply=apply, for_good=for_good, max_gb=max_gb, max_days=max_days)

    with console.report_errors(as_json):
        found = with_session(home, lambda session: work(session, False))
        if found.candidates and not as_json:
            console.out.print(_table(found))
        going = len(found.candidates) - (0 if for_good else len(found.lasting))
        if going and not as_json:
            console.confirm(f"Remove {going} files?", yes)
        if going and (yes or not as_json):
            found = with_session(home, lambda session: work(session, True))
        if as_json:
            console.print_json(found.as_json())
            return
        kept = 0 if for_good else len(found.lasting)
        console.out.print(f"{len(found.removed)} removed; the folder held {found.total / 1e9:.2f} GB before.")
        if kept:
            console.out.print(f"{kept} cannot be fetched again, and stay; to remove them too: --for-good")


def _table(found: PruneResult) -> Table:
    table = Table(box=None, header_style="bold")
    for name in ("file", "MB", "days old", "what it would mean"):
        table.add_column(name, no_wrap=True, justify="right" if name in ("MB", "days old") else "left")
    for one in found.candidates:
        meaning = "gone for good" if one.fetchable_until is None else "can be fetched again"
        meaning = "a download that nobody goes on with" if one.is_part else meaning
        meaning = "a video's chunks: its graph makes them anew" if one.is_chunks else meaning
        table.add_row(one.path.name, f"{one.size / 1e6:.1f}", f"{one.age_seconds / 86400:.1f}", meaning)
    return table
