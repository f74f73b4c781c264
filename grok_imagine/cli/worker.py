"""``grok-imagine worker``, and what ``grok-imagine batch`` does when workers make the rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ..batch.run import Batch, BatchResult
from ..errors import GrokImagineError, RequestError
from ..jobs import Session
from ..journal.batches import Batches, Row, Summary
from . import console
from .session import Home, with_session


def worker(
    concurrency: Annotated[int, typer.Option(help="How many clips are under way together, 1 to 50.")] = 4,
    home: Home = None,
) -> None:
    """Make rows of deferred batches until stopped (Ctrl-C or SIGTERM). Needs a database_url that machines share.

    As many workers as you like, on as many machines. What one leaves under way, stopped or killed, another goes on
    with; nothing is paid twice.
    """
    from ..batch.workers import run_worker

    def on_row(row: Row, told: str) -> None:
        console.err.print(f"row {row.number} ({row.connection}): {told}", style="dim", markup=False)

    with console.report_errors(False):
        console.err.print("waiting for rows; stop with Ctrl-C", style="dim")
        with_session(home, lambda session: run_worker(session, at_once=concurrency, on_row=on_row))


async def deferred(session: Session, batch: Batch, _: Callable[[Summary], None]) -> BatchResult:
    """Put the batch's rows into the queue, and say where it stands."""
    from ..batch.workers import queue_batch

    put = await queue_batch(session, batch)
    console.err.print(f"{put.put} rows put into the queue; see how it goes with --status", style="bold")
    return BatchResult(put.id, put.summary, put.price)


async def found(session: Session, batch: Batch, _: Callable[[Summary], None]) -> BatchResult:
    """Say where the batch stands. Raises RequestError where it was never begun."""
    table = Batches(session.journal)
    known = await table.find(batch.name)
    if known is None:
        raise RequestError(f"There is no batch {batch.name!r} in the journal {session.journal.place}.")
    return BatchResult(known.id, await table.summary(known.id), None, known.stopped_by)


async def at_hand(session: Session, row: dict[str, Any], *, bring: bool) -> dict[str, Any]:
    """The row's result with the clip's file on this machine, if it is here or is to be brought; else how to bring it.

    It is brought from the shared store, else from the provider while that keeps it; neither costs anything.
    """
    if not row["file"]:
        return row
    path: Path | None = Path(row["file"])
    if bring or (session.home / "results" / f"{row['job_id']}.mp4").is_file():
        try:
            path = (await session.resume(row["job_id"])).file
        except GrokImagineError as error:
            return {**row, "file": None, "error": f"made, but not brought here: {error}"}
    elif not path.is_file():
        return {**row, "file": None, "bring": f"grok-imagine resume {row['job_id']}"}
    return {**row, "file": str(path)}
