"""``grok-imagine worker``, and the parts of ``grok-imagine batch`` that concern workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ..batch.run import Batch, BatchResult
from ..errors import GrokImagineError, RequestError
from ..jobs import Session
from ..journal.batch_row import Row
from ..journal.batches import Batches, Summary
from . import console
from .session import Home, with_session


def worker(
    concurrency: Annotated[int, typer.Option(help="How many clips to make at the same time (1-50).")] = 4,
    home: Home = None,
) -> None:
    """Make rows of queued batches until stopped (Ctrl-C or SIGTERM). Needs a shared database_url.

    Run as many workers as you like, on any number of machines. If one stops or dies, another resumes its rows; you
    won't pay twice.
    """
    from ..batch.workers import run_worker

    def on_row(row: Row, text: str) -> None:
        console.err.print(f"row {row.number} ({row.connection}): {text}", style="dim")

    with console.report_errors(False):
        console.err.print("Waiting for rows. Press Ctrl-C to stop.", style="dim")
        with_session(home, lambda session: run_worker(session, concurrency=concurrency, on_row=on_row))


async def queue_rows(session: Session, batch: Batch, _: Callable[[Summary], None]) -> BatchResult:
    """Queue the batch's rows for workers. Raises RequestError or SettingsError."""
    from ..batch.workers import queue_batch

    queued = await queue_batch(session, batch)
    console.err.print(f"{queued.queued} rows queued. To check progress, add --status.", style="bold")
    return BatchResult(queued.id, queued.summary, queued.price)


async def find_batch(session: Session, batch: Batch, _: Callable[[Summary], None]) -> BatchResult:
    """The batch's current state. Raises RequestError if the journal has no such batch."""
    batches = Batches(session.journal)
    ref = await batches.find(batch.name)
    if ref is None:
        raise RequestError(
            f"No batch {batch.name!r} in the journal {session.journal.place}. Start it without --status."
        )
    return BatchResult(ref.id, await batches.summary(ref.id), None, ref.stopped_by)


async def locate_clip(session: Session, row: dict[str, Any], *, fetch: bool) -> dict[str, Any]:
    """The row's result with its clip's path on this machine, or with the command that downloads it (``bring``).

    With ``fetch`` a missing clip is downloaded from the shared store, else from the provider. Neither costs anything.
    """
    if not row["file"]:
        return row
    path: Path | None = Path(row["file"])
    if fetch or (session.home / "results" / f"{row['job_id']}.mp4").is_file():
        try:
            path = (await session.resume(row["job_id"])).file
        except GrokImagineError as error:
            return {**row, "file": None, "error": f"The clip was made, but could not be downloaded here: {error}"}
    elif not path.is_file():
        return {**row, "file": None, "bring": f"grok-imagine resume {row['job_id']}"}
    return {**row, "file": str(path)}
