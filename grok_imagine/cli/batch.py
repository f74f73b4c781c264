"""``grok-imagine batch FILE``: a CSV or JSONL list of clips, made so many at a time, gone on with when run again."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..batch.rows import as_plain, read_file
from ..batch.run import Batch, BatchResult, prepare, run_batch
from ..errors import RequestError
from ..filelock import put_in_place
from ..jobs import Session
from ..journal.batches import Batches, Row, RowState, Summary
from . import console
from .session import AsJson, Home, with_session
from .worker import at_hand, deferred, found

_SHOWN_FAILED = 20
Make = Callable[[Session, Batch, Callable[[Summary], None]], Awaitable[BatchResult]]


def batch(
    file: Annotated[Path, typer.Argument(help="CSV with a header, JSONL, or a text with a prompt a line.")],
    connection: Annotated[
        str, typer.Option("--connection", "-c", help="For rows that name none; see: grok-imagine connections.")
    ] = "sandbox",
    at_once: Annotated[int, typer.Option(help="How many clips are under way together, 1 to 50.")] = 4,
    max_usd: Annotated[str | None, typer.Option(help="The most that the whole list may cost.")] = None,
    name: Annotated[str | None, typer.Option(help="What the list is known by; else the file's path.")] = None,
    retry_failed: Annotated[
        bool, typer.Option(help="Make rows anew that have failed; what moderation refused must be changed first.")
    ] = False,
    duration: Annotated[int | None, typer.Option("--duration", "-d", help="For rows that say none.")] = None,
    resolution: Annotated[str | None, typer.Option("--resolution", "-r", help="For rows that say none.")] = None,
    aspect_ratio: Annotated[str | None, typer.Option("--aspect-ratio", "-a", help="For rows that say none.")] = None,
    model: Annotated[str | None, typer.Option(help="For rows that say none.")] = None,
    price: Annotated[bool, typer.Option("--price", help="Only check every row, and say what they would cost.")] = False,
    defer: Annotated[bool, typer.Option("--defer", help="Leave the rows to workers: grok-imagine worker.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Only say where it stands, and write the results.")] = False,
    results: Annotated[Path | None, typer.Option(help="Where the results go; else FILE.results.jsonl.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A folder for the clips, by row number.")
    ] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Make every clip of a list. Stopped or killed, the same command goes on where it stood; nothing is paid twice.

    Columns: prompt, and any of model, mode, duration, resolution, aspect_ratio, motion_mode, seed, images (files or
    URLs, with | between), video, connection. A row that fails is written down, and the others go on.
    """
    with console.report_errors(as_json):
        defaults = {
            "duration_seconds": duration,
            "resolution": resolution,
            "aspect_ratio": aspect_ratio,
            "model": model,
        }
        wish = Batch(
            name=name or str(file.resolve()),
            rows=read_file(file),
            connection=connection,
            defaults=defaults,
            folder=file.resolve().parent,
            at_once=at_once,
            max_usd=_money(max_usd),
            retry_failed=retry_failed,
        )
        target = results or file.with_name(f"{file.name}.results.jsonl")
        make = run_batch if not (defer or status) else deferred if defer else found
        outcome = with_session(home, lambda session: _run(session, wish, make, target, output, price))
        if outcome is not None:
            _tell(outcome, target, as_json)
            failed = outcome.summary.of(RowState.FAILED)
            sys.exit(0 if outcome.summary.of(RowState.DONE) == outcome.summary.total else 4 if failed else 5)


async def _run(
    session: Session, wish: Batch, make: Make, target: Path, output: Path | None, only_price: bool
) -> BatchResult | None:
    if make is not found:
        rows, cost = await prepare(session, wish)
        told = "price: see the provider's page" if cost is None else f"{cost} in all"
        console.err.print(f"{len(rows)} rows: {told}", style="bold")
    if only_price:
        return None
    told_at = [0]

    def on_change(summary: Summary) -> None:
        over = summary.of(RowState.DONE, RowState.FAILED, RowState.STOPPED, RowState.UNKNOWN)
        # A line for each row of a short list, and for each hundredth of a long one.
        if over == summary.total or over - told_at[0] >= summary.total / 100:
            told_at[0] = over
            console.err.print(f"{over} of {summary.total}: {_counts(summary)}", style="dim")

    outcome = await make(session, wish, on_change)
    await _write(session, outcome.id, target, output)
    return outcome


async def _write(session: Session, batch_id: str, target: Path, output: Path | None) -> None:
    """The results, a line each; written beside the old ones and put in their place at the end."""
    table = Batches(session.journal)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    with partial.open("w", encoding="utf-8") as lines:
        async for row in table.rows(batch_id):
            plain = await at_hand(session, as_plain(row), bring=output is not None)
            if output is not None and plain["file"]:
                plain["file"] = str(_placed(Path(plain["file"]), output, row))
            lines.write(json.dumps(plain, ensure_ascii=False) + "\n")
    put_in_place(partial, target)


def _placed(clip: Path, folder: Path, row: Row) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{row.number:05d}{clip.suffix}"
    target.unlink(missing_ok=True)
    try:
        os.link(clip, target)
    except OSError:
        shutil.copyfile(clip, target)
    return target


def _tell(outcome: BatchResult, target: Path, as_json: bool) -> None:
    summary = outcome.summary
    if as_json:
        console.print_json(
            {
                "batch": outcome.id,
                "rows": {state.value: count for state, count in summary.counts.items()},
                "cost_usd": str(summary.cost_usd),
                "stopped_by": outcome.stopped_by,
                "results": str(target),
            }
        )
        return
    console.err.print(f"{_counts(summary)}; ${summary.cost_usd.normalize():f}", style="bold")
    if outcome.stopped_by:
        console.err.print(f"Stopped: {outcome.stopped_by}", style="red", markup=False)
    _failures(target)
    console.out.print(str(target), soft_wrap=True, markup=False)


def _failures(target: Path) -> None:
    """The rows that have no clip, as a table."""
    table = Table(box=None, header_style="bold")
    for column in ("row", "state", "error"):
        table.add_column(column)
    shown = 0
    with target.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["error"] and shown < _SHOWN_FAILED:
                table.add_row(str(row["row"]), row["state"], str(row["error"])[:160])
                shown += 1
    if shown:
        console.err.print(table, markup=False)


def _counts(summary: Summary) -> str:
    return ", ".join(f"{summary.counts[state]} {state.value}" for state in RowState if summary.counts.get(state))


def _money(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        raise RequestError(f"{text!r} is no amount of dollars. Nothing was sent or charged.") from None
    if not amount.is_finite() or amount < 0:
        raise RequestError(f"{text!r} is no amount of dollars. Nothing was sent or charged.")
    return amount
