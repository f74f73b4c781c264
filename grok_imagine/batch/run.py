"""A list of wishes, so many at a time and within a limit of cost: each row is journaled, and none is paid twice."""

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
from ..jobs.new_job import assumed_cost
from ..jobs.pipeline.context import cost_of
from ..jobs.source_video import with_source
from ..journal.batches import Batches, Row, RowState, Summary, owner_of
from ..models import Blob, Cost, VideoRequest
from ..models.capability import sum_costs
from ..providers import capability_selection
from . import rows as reading

if TYPE_CHECKING:
    from ..jobs.connections import Connection
    from ..jobs.session import Session

MOST_AT_ONCE = 50
_SHOWN_FAULTS = 20
# No other row would fare better: the batch stops, and goes on with these when it is run again.
FATAL_ERRORS = (SettingsError, AuthRejected, OutOfCredit, OverBudget, JournalError)
_PLACEHOLDERS = {"reference_images": Blob(b"", "image/png"), "source_video": Blob(b"", "video/mp4")}


@dataclass(frozen=True)
class Batch:
    """The wish: rows as :mod:`.rows` reads them, and what they share.

    ``name`` is the batch's identity: the same name again goes on with it. ``folder`` is where files are looked for;
    images may also be given as they are, as Blobs.
    ``max_usd`` limits what all its rows may cost together.
    """

    name: str
    rows: Sequence[Mapping[str, Any]]
    connection: str
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    folder: Path = Path()
    at_once: int = 4
    max_usd: Decimal | None = None
    retry_failed: bool = False
    reads_files: bool = True
    """Whether rows may name files. Not where the list may come from a stranger, as in a workflow."""


@dataclass(frozen=True)
class BatchResult:
    """Where the batch stands after a run. ``stopped_by`` says why rows are left, if some are."""

    id: str
    summary: Summary
    price: Cost | None
    stopped_by: str = ""


OnChange = Callable[[Summary], None]


async def prepare(session: Session, batch: Batch) -> tuple[list[Row], Cost | None]:
    """Check every row and add up the price, before anything is sent. Raises one RequestError that names the faults."""
    if not 1 <= batch.at_once <= MOST_AT_ONCE:
        raise RequestError(f"{batch.at_once} at once is not possible; choose 1 to {MOST_AT_ONCE}.")
    spelled = [_name_rows(one, batch) for one in batch.rows]
    keys = await asyncio.to_thread(reading.keys, spelled, batch.folder)
    known: dict[str, Connection] = {}
    made: list[Row] = []
    costs: list[Cost | None] = []
    faults: list[Violation] = []
    for number, ((name, fields), key) in enumerate(zip(spelled, keys, strict=True), 1):
        try:
            if name not in known:
                known[name] = await session.connect(name)
            cost = _check_rows(known[name], fields, batch)
        except RequestError as error:
            told = error.violations or [Violation("B3", "row", str(error))]
            faults += [replace(one, field=f"row {number}, {one.field}") for one in told]
            continue
        costs.append(cost)
        made.append(Row(key, number, name, fields, cost.usd if cost else None))
    if faults:
        wrong = len({one.field.split(",")[0] for one in faults})
        more = f" Here are the first {_SHOWN_FAULTS} faults." if len(faults) > _SHOWN_FAULTS else ""
        text = f"{wrong} of {len(spelled)} rows cannot be made; nothing was sent or charged.{more}"
        raise RequestError(text, faults[:_SHOWN_FAULTS])
    price = sum_costs(costs)
    if batch.max_usd is not None and price is None:
        raise RequestError(
            "A limit of cost needs to know prices, and one of these connections publishes none. State "
            "assumed_usd_per_second or assumed_usd_per_clip for it in the settings. Nothing was sent or charged."
        )
    return made, price


async def run_batch(session: Session, batch: Batch, on_change: OnChange | None = None) -> BatchResult:
    """Make every row that is not made yet, ``at_once`` at a time.

    A row that fails is written down, and the others go on. Interrupted, killed, or stopped by a limit, the same batch
    again goes on where it stood: every row is a job, and no job is paid twice.
    """
    made, price = await prepare(session, batch)
    table = Batches(session.journal, session.clock)
    identity = await table.open(batch.name, made, retry_failed=batch.retry_failed)
    work = _BatchRun(session, batch, table, identity, {row.key: row for row in made}, on_change)
    work.spent = (await table.summary(identity)).cost_usd
    crew = [asyncio.ensure_future(work.keep_going()) for _ in range(min(batch.at_once, len(made)))]
    try:
        await asyncio.gather(*crew)
    finally:
        for one in crew:
            one.cancel()
        await asyncio.gather(*crew, return_exceptions=True)
    return BatchResult(identity, await table.summary(identity), price, work.stopped_by)


@dataclass
class _BatchRun:
    """One run of a batch, shared by its crew."""

    session: Session
    batch: Batch
    table: Batches
    identity: str
    made: Mapping[str, Row]
    """The rows with their images, of which the journal has only the names."""
    on_change: OnChange | None
    spent: Decimal = Decimal(0)
    """What the rows have cost, and what those under way may cost."""
    stopped_by: str = ""
    run: str = field(default_factory=lambda: f"batch-{secrets.token_hex(8)}")

    async def keep_going(self) -> None:
        """Take one row after the other, until there is none or the batch is stopped."""
        while not self.stopped_by:
            row = await self.table.claim(self.identity, self.run)
            if row is None:
                return
            cost = row.estimate_usd or Decimal(0)
            if self.batch.max_usd is not None and self.spent + cost > self.batch.max_usd:
                await self.table.settle(self.identity, row, RowState.WAITING)
                self.stopped_by = f"the limit of ${self.batch.max_usd:f} is reached: another row would pass it"
                return
            self.spent += cost
            try:
                full = self.made.get(row.key, row)
                _, took = await make_row(self.session, self.table, self.identity, full, self.batch.folder, self.run)
            except FATAL_ERRORS as error:
                self.stopped_by, took = str(error), Decimal(0)
                await self.table.settle(self.identity, row, RowState.WAITING)
            self.spent += took - cost
            if self.on_change is not None:
                self.on_change(await self.table.summary(self.identity))


async def make_row(
    session: Session, table: Batches, identity: str, row: Row, folder: Path, run: str
) -> tuple[RowState, Decimal]:
    """Make a row, or go on with its job, and write down what came of it. Gives that, and what it cost.

    Raises those of STOPS, which other rows would meet too; the row is not settled then.
    """
    owner = owner_of(identity, row.key)
    try:
        request = await _request(session, row, folder)
        made = await session.generate(request, row.connection, owner=owner, run=run)
    except FATAL_ERRORS:
        raise
    except GrokImagineError as error:
        return await _failed(session, table, identity, row, error)
    await table.settle(identity, row, RowState.DONE, job_id=made.job.id)
    cost = cost_of(made.job)
    return RowState.DONE, cost.usd if cost else Decimal(0)


async def _failed(
    session: Session, table: Batches, identity: str, row: Row, error: GrokImagineError
) -> tuple[RowState, Decimal]:
    """Write down why. Gives where the row stands, and what it may have cost."""
    job = await session.journal.find_by_owner(owner_of(identity, row.key), also_failed=True)
    state = RowState.STOPPED
    if isinstance(error, SubmitUncertain):
        state = RowState.UNKNOWN
    elif job is None or job.state.is_final or isinstance(error, (JobFailed, RequestError)):
        state = RowState.FAILED
    about = {"job_id": job.id if job else None, "error": str(error), "error_kind": type(error).__name__}
    await table.settle(identity, row, state, **about)
    if job is None or job.task_id is None:
        return state, row.estimate_usd or Decimal(0) if state is RowState.UNKNOWN else Decimal(0)
    cost = cost_of(job)
    return state, cost.usd if cost else Decimal(0)


def _name_rows(row: Mapping[str, Any], batch: Batch) -> tuple[str, dict[str, Any]]:
    fields = reading.spell_row(row, batch.defaults)
    return str(fields.pop("connection", None) or batch.connection), fields


def _check_rows(connection: Connection, fields: Mapping[str, Any], batch: Batch) -> Cost | None:
    """Check a row with stand-ins for its files, which are read when its turn comes; and price it."""
    loose = dict(fields)
    for name, stand_in in _PLACEHOLDERS.items():
        if name not in fields:
            continue
        several: list[Any] = fields[name] if isinstance(fields[name], list) else [fields[name]]
        given: list[Any] = []
        for one in several:
            path = reading.local(one, batch.folder)
            if path is not None and not batch.reads_files:
                raise RequestError("", [Violation("B4", name, f"{one[:80]!r} is no URL; files are not read here")])
            if path is not None and not path.is_file():
                raise RequestError("", [Violation("B4", name, f"there is no file {one}")])
            given.append(stand_in if path else one)
        loose[name] = given if isinstance(fields[name], list) else given[0]
    request, checked = connection.provider.read(loose, allow_private_urls=connection.is_local)
    return connection.provider.estimate(request, checked.capability) or assumed_cost(request, connection, checked)


async def _request(session: Session, row: Row, folder: Path) -> VideoRequest:
    """The row's request with its files read; a local source video is measured on the way."""
    from ..media.images.encode import read_image

    loose = dict(row.fields)
    images: list[Any] = loose.pop("reference_images", None) or []
    source = loose.pop("source_video", None)
    path = reading.local(source, folder)
    request, _ = capability_selection.parse({**loose, **({"source_video": source} if source and not path else {})})
    files = [reading.local(one, folder) for one in images]
    read = [
        one if file is None else await asyncio.to_thread(read_image, file)
        for one, file in zip(images, files, strict=True)
    ]
    request = request.model_copy(update={"reference_images": tuple(read)})
    return request if path is None else await with_source(session, row.connection, request, path)
