"""Batches that are killed, started again, or run by several processes: failed rows stay failed, and the limit holds."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from grok_imagine.batch.run import Batch, BatchResult, run_batch
from grok_imagine.errors import JobFailed
from grok_imagine.jobs import Session
from grok_imagine.journal.batch_row import RowState
from grok_imagine.journal.batches import Batches
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import Settings

from ..support.sessions import hurried

PRICE = Decimal("0.054")
"""US dollars for six seconds at 480p."""
FAILED = "a kite [sandbox:failed]"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seconds=0.2, strict_extra=True) as running:
        yield running


def session_on(home: Path, sandbox: Sandbox) -> Session:
    return Session(home, Settings(sandbox_url=sandbox.url), sleep=hurried)


def batch(*prompts: str, **more: Any) -> Batch:
    fields: dict[str, Any] = {"name": "kites", "connection": "sandbox", "defaults": {"duration_seconds": 6}, **more}
    return Batch(rows=[{"prompt": prompt} for prompt in prompts], **fields)


async def run(home: Path, sandbox: Sandbox, wanted: Batch) -> BatchResult:
    async with session_on(home, sandbox) as session:
        return await run_batch(session, wanted)


@pytest.fixture
async def unseen_failure(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a batch whose process ended between the failed outcome of a job and that of its row."""
    real = Batches.save_state

    async def save_state(self: Batches, batch_id: str, row: Any, state: RowState, **values: Any) -> None:
        if state is RowState.FAILED:
            raise asyncio.CancelledError
        await real(self, batch_id, row, state, **values)

    monkeypatch.setattr(Batches, "save_state", save_state)
    with pytest.raises(asyncio.CancelledError):
        await run(tmp_path, sandbox, batch(FAILED))
    monkeypatch.undo()
    assert sandbox.ledger()["posts"] == 1
    return tmp_path


async def test_a_failure_that_the_row_does_not_show_is_not_sent_again(unseen_failure: Path, sandbox: Sandbox) -> None:
    for _ in range(2):
        result = await run(unseen_failure, sandbox, batch(FAILED))
        assert result.summary.counts == {RowState.FAILED: 1}
    assert sandbox.ledger()["posts"] == 1
    async with session_on(unseen_failure, sandbox) as session:
        (row,) = [row async for row in Batches(session.journal).rows(result.id)]
        (job,) = await session.journal.recent()
    assert row.job_id == job.id
    assert row.error_kind == "JobFailed"


async def test_a_failed_row_is_sent_again_with_retry_failed(unseen_failure: Path, sandbox: Sandbox) -> None:
    for posts in (2, 3):
        result = await run(unseen_failure, sandbox, batch(FAILED, retry_failed=True))
        assert result.summary.counts == {RowState.FAILED: 1}
        assert sandbox.ledger()["posts"] == posts
    await run(unseen_failure, sandbox, batch(FAILED))
    assert sandbox.ledger()["posts"] == 3


async def test_a_row_that_is_claimed_while_its_job_fails_elsewhere_is_not_sent_again(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with session_on(tmp_path, sandbox) as first, session_on(tmp_path, sandbox) as second:
        going = asyncio.ensure_future(run_batch(first, batch(FAILED)))
        while not sandbox.ledger()["submits"]:
            await asyncio.sleep(0.01)
        await asyncio.gather(going, *(run_batch(second, batch(FAILED)) for _ in range(3)))
        result = await run_batch(second, batch(FAILED))
    assert sandbox.ledger()["posts"] == 1
    assert result.summary.counts == {RowState.FAILED: 1}


CHILD = """
import asyncio, os, sys
from decimal import Decimal
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from grok_imagine.batch.run import Batch, run_batch
from grok_imagine.jobs import Session
from grok_imagine.settings import Settings

async def main():
    home, url, prompts, stop_after = Path(sys.argv[1]), sys.argv[2], sys.argv[4].split(","), float(sys.argv[5])
    rows = [{"prompt": prompt} for prompt in prompts]
    batch = Batch("kites", rows, "sandbox", {"duration_seconds": 6}, concurrency=8, max_usd=Decimal("0.30"))
    if stop_after:
        asyncio.get_running_loop().call_later(stop_after, os._exit, 9)
    async with Session(home, Settings(sandbox_url=url)) as session:
        await run_batch(session, batch)

asyncio.run(main())
"""


async def child(home: Path, sandbox: Sandbox, prompts: list[str], stop_after: float = 0) -> asyncio.subprocess.Process:
    root = str(Path(__file__).resolve().parents[3])
    command = (sys.executable, "-c", CHILD, str(home), sandbox.url, root, ",".join(prompts), str(stop_after))
    return await asyncio.create_subprocess_exec(*command, env={**os.environ, "PYTHONPATH": root})


def charged(sandbox: Sandbox) -> Decimal:
    return sum((Decimal(entry["usd"]) for entry in sandbox.ledger()["entries"]), Decimal(0))


@pytest.mark.slow
async def test_the_limit_holds_over_kills_and_new_rows(sandbox: Sandbox, tmp_path: Path) -> None:
    rows = [f"kite {number}" for number in range(12)]
    for turn in range(3):
        rows = [f"new {turn} {number}" for number in range(4)] + rows
        process = await child(tmp_path, sandbox, rows)
        submits = sandbox.ledger()["submits"]
        for _ in range(400):
            await asyncio.sleep(0.02)
            if sandbox.ledger()["submits"] >= submits + 2 or process.returncode is not None:
                break
        if process.returncode is None:
            process.kill()
        await process.wait()
    assert await (await child(tmp_path, sandbox, rows)).wait() == 0
    assert 0 < charged(sandbox) <= Decimal("0.30")


@pytest.mark.slow
async def test_the_limit_holds_over_three_processes(sandbox: Sandbox, tmp_path: Path) -> None:
    rows = [f"kite {number}" for number in range(12)]
    processes = [await child(tmp_path, sandbox, rows) for _ in range(3)]
    assert [await process.wait() for process in processes] == [0, 0, 0]
    assert charged(sandbox) == 5 * PRICE


async def test_the_limit_holds_for_rows_that_were_claimed_before(sandbox: Sandbox, tmp_path: Path) -> None:
    """It is checked again in the transaction before each POST: here another process has lowered it meanwhile."""
    async with session_on(tmp_path, sandbox) as session:
        real, is_lowered, claimed = session.journal.advance, asyncio.Event(), []

        async def advance(job: Any, *arguments: Any, **changes: Any) -> Any:
            claimed.append(job)
            if len(claimed) == 8:
                statement = f"UPDATE batches SET max_usd = {int(PRICE * 10**10) * 2}"
                await session.journal.transaction(lambda connection: connection.exec_driver_sql(statement))
                is_lowered.set()
            await is_lowered.wait()
            return await real(job, *arguments, **changes)

        session.journal.advance = advance  # type: ignore[method-assign]
        result = await run_batch(session, batch(*"abcdefgh", concurrency=8))
    assert "the limit of $0.108 is reached" in result.stopped_by
    assert charged(sandbox) == 2 * PRICE


async def test_sent_rows_are_finished_above_the_limit(sandbox: Sandbox, tmp_path: Path) -> None:
    result = await run(tmp_path, sandbox, batch("one", "two", max_usd=2 * PRICE))
    assert result.summary.counts == {RowState.DONE: 2}
    async with session_on(tmp_path, sandbox) as session:
        jobs = await session.journal.recent()
        await session.journal.transaction(
            lambda connection: connection.exec_driver_sql("UPDATE batch_rows SET state = 'stopped'")
        )
    result = await run(tmp_path, sandbox, batch("new", "one", "two", max_usd=2 * PRICE))
    assert result.summary.counts == {RowState.DONE: 2, RowState.WAITING: 1}
    assert result.summary.cost_usd == 2 * PRICE
    assert "the limit" in result.stopped_by
    assert len(jobs) == sandbox.ledger()["posts"] == 2


async def test_an_unknown_outcome_at_the_limit_is_stored_as_one(sandbox: Sandbox, tmp_path: Path) -> None:
    wanted = batch("a kite [sandbox:drop-after]", max_usd=PRICE)
    for _ in range(2):
        result = await run(tmp_path, sandbox, wanted)
        assert (result.summary.counts, result.stopped_by) == ({RowState.UNKNOWN: 1}, "")
    assert sandbox.ledger()["posts"] == 1


async def test_a_job_that_two_lists_share_and_that_fails_is_not_sent_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """Both processes end before they store the row's outcome; the second list's row had the first one's job."""
    async with session_on(tmp_path, sandbox) as first, session_on(tmp_path, sandbox) as second:
        running = [
            asyncio.ensure_future(run_batch(session, batch(FAILED, name=name)))
            for session, name in ((first, "one"), (second, "two"))
        ]
        for session, task in zip((first, second), running, strict=True):
            while not await session.journal.transaction(read_links):
                await asyncio.sleep(0.01)
            assert not task.done()
        while len(await second.journal.transaction(read_links)) < 2:
            await asyncio.sleep(0.01)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        (job,) = await first.journal.recent()
        with pytest.raises(JobFailed):
            await first.resume(job.id)
    for name in ("two", "one"):
        result = await run(tmp_path, sandbox, batch(FAILED, name=name))
        assert result.summary.counts == {RowState.FAILED: 1}
    assert sandbox.ledger()["posts"] == 1


def read_links(connection: sa.Connection) -> list[str]:
    return list(connection.exec_driver_sql("SELECT job_id FROM batch_rows WHERE job_id IS NOT NULL").scalars())


async def test_what_another_list_left_unsent_counts_towards_the_list_that_sends_it(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with session_on(tmp_path, sandbox) as session:
        session.journal.advance = stop_at_once  # type: ignore[method-assign]
        with pytest.raises(asyncio.CancelledError):
            await run_batch(session, batch("one", name="first", max_usd=PRICE))
    result = await run(tmp_path, sandbox, batch("one", "zero", name="second", max_usd=PRICE, concurrency=1))
    assert result.summary.counts == {RowState.DONE: 1, RowState.WAITING: 1}
    assert result.summary.cost_usd == charged(sandbox) == PRICE


async def stop_at_once(*_arguments: object, **_changes: object) -> None:
    raise asyncio.CancelledError
