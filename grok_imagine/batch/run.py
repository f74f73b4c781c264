"""Runs a batch of requests with a concurrency and a spending limit. Each row is journaled and never paid twice."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import (
    AuthRejected,
    GrokImagineError,
    JobFailed,
    JournalError,
    OutOfCredit,
    OverBudget,
    RequestError,
    SettingsError,
    SubmitUncertain,
    Violation,
)
from ..jobs.new_job import estimate_cost
from ..jobs.source_video import with_source
from ..journal.batch_row import Row, RowState
from ..journal.batches import Batches, Summary, owner_of
from ..models import Blob, Cost, VideoRequest
from ..models.capability import sum_costs
from ..providers import capability_selection
from . import rows as reading

if TYPE_CHECKING:
    from ..jobs.connections import Connection
    from ..jobs.session import Session

MAX_CONCURRENCY = 50
_MAX_FAULTS_SHOWN = 20
# These would hit every other row too: the batch stops, and retries the rows when it is run again.
FATAL_ERRORS = (SettingsError, AuthRejected, OutOfCredit, OverBudget, JournalError)
_PLACEHOLDERS = {"reference_images": Blob(b"", "image/png"), "source_video": Blob(b"", "video/mp4")}


@dataclass(frozen=True)
class Batch:
    """Rows as :mod:`.rows` reads them, and the options they share.

    ``name`` identifies the batch: the same name resumes it. Paths are relative to ``folder``; images may also be
    Blobs. ``max_usd`` limits the total cost of all rows.
    """

    name: str
    rows: Sequence[Mapping[str, Any]]
    connection: str
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    folder: Path = Path()
    concurrency: int = 4
    max_usd: Decimal | None = None
    retry_failed: bool = False
    reads_files: bool = True
    """Whether rows may name local files. False for lists from an untrusted source, such as a workflow."""


@dataclass(frozen=True)
class BatchResult:
    """A batch's state after a run. ``stopped_by`` says why the run ended early; empty if it did not."""

    id: str
    summary: Summary
    price: Cost | None
    stopped_by: str = ""


OnChange = Callable[[Summary], None]


async def prepare(session: Session, batch: Batch) -> tuple[list[Row], Cost | None]:
    """Check every row and add up the price, without sending anything. Raises one RequestError with all faults.

    Equal rows are the same clip and count once.
    """
    if not 1 <= batch.concurrency <= MAX_CONCURRENCY:
        raise RequestError(f"Cannot make {batch.concurrency} clips at the same time; choose 1 to {MAX_CONCURRENCY}.")
    named_rows = [_split_connection(row, batch) for row in batch.rows]
    keys = await asyncio.to_thread(reading.row_keys, named_rows, batch.folder)
    connections: dict[str, Connection] = {}
    rows: list[Row] = []
    costs: list[Cost | None] = []
    faults: list[Violation] = []
    for number, ((name, fields), (key, is_repeat)) in enumerate(zip(named_rows, keys, strict=True), 1):
        try:
            if name not in connections:
                connections[name] = await session.connect(name)
            cost = _check_row(connections[name], fields, batch)
        except RequestError as error:
            violations = error.violations or [Violation("B3", "row", str(error))]
            faults += [replace(fault, field=f"row {number}, {fault.field}") for fault in violations]
            continue
        costs += [] if is_repeat else [cost]
        rows.append(Row(key, number, name, fields, cost.usd if cost else None, is_repeat=is_repeat))
    if faults:
        faulty_count = len({fault.field.split(",")[0] for fault in faults})
        more = f" The first {_MAX_FAULTS_SHOWN} problems:" if len(faults) > _MAX_FAULTS_SHOWN else ""
        text = f"{faulty_count} of {len(named_rows)} rows are invalid. Nothing was sent or charged.{more}"
        raise RequestError(text, faults[:_MAX_FAULTS_SHOWN])
    price = sum_costs(costs)
    if batch.max_usd is not None and price is None:
        raise RequestError(
            "Your spending limit cannot be checked: one of these connections publishes no prices. Set "
            "assumed_usd_per_second or assumed_usd_per_clip for it in the settings. Nothing was sent or charged."
        )
    return rows, price


async def run_batch(session: Session, batch: Batch, on_change: OnChange | None = None) -> BatchResult:
    """Make every row that has no clip yet, ``concurrency`` at a time.

    A failed row is recorded and the others continue. If the run is interrupted, killed or stopped by a limit, call it
    again to resume: every row is a job, and no job is paid twice.
    """
    rows, price = await prepare(session, batch)
    table = Batches(session.journal, session.clock)
    identity = await table.save(batch.name, rows, retry_failed=batch.retry_failed, max_usd=batch.max_usd)
    batch_run = _BatchRun(session, batch, table, identity, {row.key: row for row in rows}, on_change)
    tasks = [asyncio.ensure_future(batch_run.work()) for _ in range(min(batch.concurrency, len(rows)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    ref = await table.find(batch.name)
    stopped_by = batch_run.stopped_by or (ref.stopped_by if ref else "")
    return BatchResult(identity, await table.summary(identity), price, stopped_by)


@dataclass
class _BatchRun:
    """One run of a batch, shared by its concurrent tasks."""

    session: Session
    batch: Batch
    table: Batches
    identity: str
    rows: Mapping[str, Row]
    """The rows by key, with their images. The journal stores only the images' hashes."""
    on_change: OnChange | None
    stopped_by: str = ""
    run: str = field(default_factory=lambda: f"batch-{secrets.token_hex(8)}")

    async def work(self) -> None:
        """Claim and make rows until none is waiting or the batch is stopped."""
        while not self.stopped_by:
            row = await self.table.claim(self.identity, self.run)
            if row is None:
                return
            try:
                full = self.rows.get(row.key, row)
                await make_row(self.session, self.table, self.identity, full, self.batch.folder, self.run)
            except FATAL_ERRORS as error:
                self.stopped_by = str(error)
                await self.table.save_state(self.identity, row, RowState.WAITING)
            if self.on_change is not None:
                self.on_change(await self.table.summary(self.identity))


async def make_row(session: Session, table: Batches, identity: str, row: Row, folder: Path, run: str) -> RowState:
    """Make a row or resume its job, and store the outcome. Returns the row's new state.

    Raises FATAL_ERRORS without storing a state, since they would hit other rows too.
    """
    try:
        request = await _build_request(session, row, folder)
        owner, on_claim = owner_of(identity, row.key), table.store_job(identity, row)
        await session.generate(request, row.connection, owner=owner, run=run, on_claim=on_claim)
    except FATAL_ERRORS:
        raise
    except GrokImagineError as error:
        return await _save_failure(table, identity, row, error)
    await table.save_state(identity, row, RowState.DONE)
    return RowState.DONE


async def _save_failure(table: Batches, identity: str, row: Row, error: GrokImagineError) -> RowState:
    """Store the error. Returns the row's new state."""
    job = await table.find_job(identity, row)
    state = RowState.STOPPED
    if isinstance(error, SubmitUncertain):
        state = RowState.UNKNOWN
    elif job is None or job.state.is_final or isinstance(error, (JobFailed, RequestError)):
        state = RowState.FAILED
    await table.save_state(identity, row, state, error=str(error), error_kind=type(error).__name__)
    return state


def _split_connection(row: Mapping[str, Any], batch: Batch) -> tuple[str, dict[str, Any]]:
    fields = reading.normalize_row(row, batch.defaults)
    return str(fields.pop("connection", None) or batch.connection), fields


def _check_row(connection: Connection, fields: Mapping[str, Any], batch: Batch) -> Cost | None:
    """Check a row and return its price. Uses placeholders for files, which are read only when the row is made."""
    values = dict(fields)
    for name, placeholder in _PLACEHOLDERS.items():
        if name not in fields:
            continue
        items: list[Any] = fields[name] if isinstance(fields[name], list) else [fields[name]]
        checked_items: list[Any] = []
        for item in items:
            path = reading.local_path(item, batch.folder)
            if path is not None and not batch.reads_files:
                raise RequestError(
                    "", [Violation("B4", name, f"{item[:80]!r} is not a URL, and local files are not allowed here")]
                )
            if path is not None and not path.is_file():
                raise RequestError("", [Violation("B4", name, f"file not found: {item}")])
            checked_items.append(placeholder if path else item)
        values[name] = checked_items if isinstance(fields[name], list) else checked_items[0]
    request, checked = connection.provider.read(values, allow_private_urls=connection.is_local)
    return estimate_cost(request, connection, checked)


async def _build_request(session: Session, row: Row, folder: Path) -> VideoRequest:
    """The row's request with its local files loaded and a local source video prepared."""
    from ..media.images.encode import read_image

    values = dict(row.fields)
    images: list[Any] = values.pop("reference_images", None) or []
    source = values.pop("source_video", None)
    path = reading.local_path(source, folder)
    request, _ = capability_selection.parse({**values, **({"source_video": source} if source and not path else {})})
    files = [reading.local_path(image, folder) for image in images]
    loaded = [
        image if file is None else await asyncio.to_thread(read_image, file)
        for image, file in zip(images, files, strict=True)
    ]
    request = request.model_copy(update={"reference_images": tuple(loaded)})
    return request if path is None else await with_source(session, row.connection, request, path)
