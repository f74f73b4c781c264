"""``grok-imagine batch FILE``: makes the clips of a CSV or JSONL list. Run it again to resume."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..batch.rows import read_file, result_as_json
from ..batch.run import Batch, BatchResult, prepare, run_batch
from ..errors import RequestError
from ..filelock import replace_file
from ..jobs import Session
from ..journal.batch_row import Row, RowState
from ..journal.batches import Batches, Summary
from ..settings import MAX_USD
from . import console
from .output import check_file, check_folder
from .session import AsJson, Home, with_session
from .worker import find_batch, locate_clip, queue_rows

_MAX_FAILURES_SHOWN = 20
BatchAction = Callable[[Session, Batch, Callable[[Summary], None]], Awaitable[BatchResult]]


def batch(
    file: Annotated[Path, typer.Argument(help="CSV with a header, JSONL, or text with one prompt per line.")],
    connection: Annotated[
        str, typer.Option("--connection", "-c", help="For rows without one. List: grok-imagine connections")
    ] = "sandbox",
    at_once: Annotated[int, typer.Option(help="How many clips to make at the same time (1-50).")] = 4,
    max_usd: Annotated[str | None, typer.Option(help="Spending limit for the whole list, in US dollars.")] = None,
    name: Annotated[str | None, typer.Option(help="The batch's name. Default: the file's path.")] = None,
    retry_failed: Annotated[
        bool, typer.Option(help="Retry failed rows. Change rows that moderation refused first.")
    ] = False,
    duration: Annotated[int | None, typer.Option("--duration", "-d", help="For rows without one.")] = None,
    resolution: Annotated[str | None, typer.Option("--resolution", "-r", help="For rows without one.")] = None,
    aspect_ratio: Annotated[str | None, typer.Option("--aspect-ratio", "-a", help="For rows without one.")] = None,
    model: Annotated[str | None, typer.Option(help="For rows without one.")] = None,
    price: Annotated[bool, typer.Option("--price", help="Check every row and print the price. Sends nothing.")] = False,
    defer: Annotated[bool, typer.Option("--defer", help="Queue the rows for workers (grok-imagine worker).")] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Print the status and write the results. Sends nothing.")
    ] = False,
    results: Annotated[Path | None, typer.Option(help="Results file. Default: FILE.results.jsonl")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the clips, named by row number.")
    ] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Make every clip of a list. If it is interrupted, run the same command again to resume; you won't pay twice.

    Columns: prompt, and optionally model, mode, duration, resolution, aspect_ratio, motion_mode, seed, images (files
    or URLs separated by |), video, connection. If a row fails, its error is recorded and the others continue.
    """
    with console.report_errors(as_json):
        defaults = {
            "duration_seconds": duration,
            "resolution": resolution,
            "aspect_ratio": aspect_ratio,
            "model": model,
        }
        spec = Batch(
            name=name or str(file.resolve()),
            rows=read_file(file),
            connection=connection,
            defaults=defaults,
            folder=file.resolve().parent,
            concurrency=at_once,
            max_usd=parse_dollars(max_usd),
            retry_failed=retry_failed,
        )
        target = results or file.with_name(f"{file.name}.results.jsonl")
        if not price:
            check_file("--results", target)
            check_folder("--output", output)
        action = run_batch if not (defer or status) else queue_rows if defer else find_batch
        result = with_session(home, lambda session: _run(session, spec, action, target, output, price))
        if result is not None:
            _print_result(result, target, as_json)
            failed = result.summary.count(RowState.FAILED)
            sys.exit(0 if result.summary.count(RowState.DONE) == result.summary.total else 4 if failed else 5)


async def _run(
    session: Session, spec: Batch, action: BatchAction, target: Path, output: Path | None, only_price: bool
) -> BatchResult | None:
    if action is not find_batch:
        rows, cost = await prepare(session, spec)
        price_text = "see the provider for the price" if cost is None else f"{cost} in total"
        repeats = sum(row.is_repeat for row in rows)
        note = f" ({repeats} repeat an earlier row: the same clip, paid once; give them other seeds)" if repeats else ""
        console.err.print(f"{len(rows)} rows: {price_text}{note}", style="bold")
    if only_price:
        return None
    printed_at = 0

    def on_change(summary: Summary) -> None:
        nonlocal printed_at
        finished = summary.count(RowState.DONE, RowState.FAILED, RowState.STOPPED, RowState.UNKNOWN)
        # At most about a hundred lines, however long the list is.
        if finished == summary.total or finished - printed_at >= summary.total / 100:
            printed_at = finished
            console.err.print(f"{finished} of {summary.total}: {_counts(summary)}", style="dim")

    result = await action(session, spec, on_change)
    await write_results(session, result.id, target, output)
    return result


async def write_results(session: Session, batch_id: str, target: Path, output: Path | None) -> None:
    """Write one JSON line per row to a temporary file, then replace ``target`` with it.

    The temporary file is this process's own: another one may run the same list.
    """
    batches = Batches(session.journal)
    for folder in (target.parent, output):  # either may have been removed while the clips were made
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with partial.open("w", encoding="utf-8") as lines:
            async for row in batches.rows(batch_id):
                record = await locate_clip(session, result_as_json(row), fetch=output is not None)
                if output is not None and record["file"]:
                    record["file"] = str(_link_clip(Path(record["file"]), output, row))
                lines.write(json.dumps(record, ensure_ascii=False) + "\n")
        replace_file(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _link_clip(clip: Path, folder: Path, row: Row) -> Path:
    target = folder / f"{row.number:05d}{clip.suffix}"
    partial = folder / f".{target.name}.{secrets.token_hex(4)}.part"
    try:
        try:
            os.link(clip, partial)
        except OSError:
            shutil.copyfile(clip, partial)
        replace_file(partial, target)
    finally:
        partial.unlink(missing_ok=True)  # a rename of one link to another of the same file does nothing
    return target


def _print_result(result: BatchResult, target: Path, as_json: bool) -> None:
    summary = result.summary
    if as_json:
        console.print_json(
            {
                "batch": result.id,
                "rows": {state.value: count for state, count in summary.counts.items()},
                "cost_usd": str(summary.cost_usd),
                "stopped_by": result.stopped_by,
                "results": str(target),
            }
        )
        return
    console.err.print(f"{_counts(summary)}; ${summary.cost_usd.normalize():f}", style="bold")
    if result.stopped_by:
        console.err.print(f"Stopped: {result.stopped_by}", style="red")
    _print_failures(target)
    console.out.print(str(target), soft_wrap=True)


def _print_failures(target: Path) -> None:
    """Print the first rows that have an error, as a table."""
    table = Table(box=None, header_style="bold")
    for column in ("row", "state", "error"):
        table.add_column(column)
    shown = 0
    with target.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["error"] and shown < _MAX_FAILURES_SHOWN:
                table.add_row(str(row["row"]), row["state"], str(row["error"])[:160])
                shown += 1
    if shown:
        console.err.print(table)


def _counts(summary: Summary) -> str:
    return ", ".join(f"{summary.counts[state]} {state.value}" for state in RowState if summary.counts.get(state))


def parse_dollars(text: str | None) -> Decimal | None:
    """The amount of an option such as ``--max-usd``. Raises RequestError."""
    if text is None:
        return None
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= MAX_USD:
        raise RequestError(
            f"{text!r} is not a dollar amount up to {MAX_USD}. Use a number such as 2.50. Nothing was sent or charged."
        )
    return amount
