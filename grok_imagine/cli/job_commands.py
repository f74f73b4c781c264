"""Commands for single jobs and for old results: again, drop, prune."""

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
    job: Annotated[str, typer.Argument(help="A job of unknown outcome. List: grok-imagine jobs")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask, although you may pay twice.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Submit a job of unknown outcome again. If the provider accepted the first one, you pay for both."""
    with console.report_errors(as_json):
        console.confirm(
            "Check the provider's dashboard first: if it accepted the first request, it bills both. Submit again?", yes
        )
        note = ""
        with console.ProgressBar() as bar, handle_interrupt(home, bar):

            async def work(session: Session) -> tuple[str, Path | None]:
                new_job = await session.resubmit(job)
                try:
                    return new_job.id, (await session.resume(new_job.id, progress=bar)).file
                except JobFailed as error:
                    if (await session.journal.get(new_job.id) or new_job).task_id is None:
                        nonlocal note
                        note = str(error)
                        return new_job.id, None
                    raise

            job_id, file = with_session(home, work)
        if as_json:
            console.print_json({"job_id": job_id, "file": str(file) if file else None, "note": note})
        else:
            console.out.print(str(file) if file else note, soft_wrap=True)


def drop(job: str, as_json: AsJson = False, home: Home = None) -> None:
    """Abandon a job. If the provider cannot cancel it, it continues there and is billed; the output says so."""
    with console.report_errors(as_json):
        abandoned = with_session(home, lambda session: session.abandon(job))
        if as_json:
            console.print_json({**console.job_as_json(abandoned.job), "note": abandoned.text})
        else:
            console.out.print(abandoned.text, soft_wrap=True)


def prune(
    max_gb: Annotated[
        float | None, typer.Option(min=0, max=1_000_000, help="Keep at most this many GB. Default: from the settings.")
    ] = None,
    max_days: Annotated[
        float | None, typer.Option(min=0, max=36_500, help="Keep at most this many days. Default: from the settings.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Don't ask. Removes only what can be downloaded again.")
    ] = False,
    for_good: Annotated[bool, typer.Option(help="Also remove clips that cannot be downloaded again.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Remove the oldest results over the limits. Clips that cannot be downloaded again stay, unless --for-good."""

    async def work(session: Session, apply: bool) -> PruneResult:
        return await session.prune(apply=apply, for_good=for_good, max_gb=max_gb, max_days=max_days)

    with console.report_errors(as_json):
        outcome = with_session(home, lambda session: work(session, False))
        if outcome.candidates and not as_json:
            console.out.print(_table(outcome))
        remove_count = len(outcome.candidates) - (0 if for_good else len(outcome.irreplaceable))
        if remove_count and not as_json:
            console.confirm(f"Remove {remove_count} files?", yes)
        if remove_count and (yes or not as_json):
            outcome = with_session(home, lambda session: work(session, True))
        if as_json:
            console.print_json(outcome.as_json())
            return
        kept_count = 0 if for_good else len(outcome.irreplaceable)
        console.out.print(f"{len(outcome.removed)} removed. The folder was {outcome.total / 1e9:.2f} GB before.")
        if kept_count:
            console.out.print(
                f"{kept_count} kept because they cannot be downloaded again. To remove them too, add --for-good."
            )


def _table(outcome: PruneResult) -> Table:
    table = Table(box=None, header_style="bold")
    for name in ("file", "MB", "days old", "note"):
        table.add_column(name, no_wrap=True, justify="right" if name in ("MB", "days old") else "left")
    for file in outcome.candidates:
        note = "cannot be downloaded again" if file.fetchable_until is None else "can be downloaded again"
        note = "partial download, no longer resumed" if file.is_part else note
        note = "chunks of a video; its graph recreates them" if file.is_chunks else note
        table.add_row(file.path.name, f"{file.size / 1e6:.1f}", f"{file.age_seconds / 86400:.1f}", note)
    return table
