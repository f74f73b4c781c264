"""The ledger in a shared PostgreSQL database: exact sums, and limits that machines cannot exceed together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from grok_imagine.errors import OverBudget
from grok_imagine.journal.journal import Journal
from grok_imagine.models import Job, JobState
from grok_imagine.models.money import Limits

from .jobs import a_job

PRICE = Decimal("0.3")
MACHINES = 8
NOW = 1.79e9


@pytest.fixture
async def machines(tmp_path: Path, database_url: SecretStr) -> AsyncIterator[list[Journal]]:
    """The journals of several machines, each with a connection of its own, under a budget of three clips a day."""
    async with AsyncExitStack() as opened:
        limits = Limits(per_day=Decimal(1))
        yield [
            await opened.enter_async_context(
                Journal(tmp_path / f"machine {number}", lambda: NOW, database_url=database_url, limits=limits)
            )
            for number in range(MACHINES)
        ]


async def passed(work: list[asyncio.Task[Job]]) -> list[Job]:
    """What was let through; the rest was refused by the budget, with its figures, and by nothing else."""
    made = await asyncio.gather(*work, return_exceptions=True)
    for one in made:
        assert isinstance(one, (Job, OverBudget)), one
        assert isinstance(one, Job) or "your limit is $1.00 per day" in str(one)
    return [one for one in made if isinstance(one, Job)]


def new_job(number: int) -> Job:
    return a_job(f"j{number}", fingerprint=f"{number:064}", estimate_usd=PRICE)


async def test_only_jobs_within_the_limit_are_reserved(machines: list[Journal]) -> None:
    claims = [
        asyncio.ensure_future(machine.claim(new_job(number), run=""))
        for number, machine in enumerate(machine for _ in range(4) for machine in machines)
    ]
    made = await passed(claims)
    assert len(made) == 3
    for machine in (machines[0], machines[-1]):
        assert {job.id for job in await machine.recent()} == {job.id for job in made}
        today = (await machine.ledger.spend()).today
        assert (today.spent, today.pending) == (Decimal(0), 3 * PRICE)


async def test_released_reservations_are_available_again(machines: list[Journal]) -> None:
    """Jobs that were left before their POST hold nothing; of all that go on at once, only three may post."""
    made: list[Job] = []
    for number, machine in enumerate(machines):
        made.append(await machine.claim(new_job(number), run=""))
        await machine.release(made[-1])
    posting = [
        asyncio.ensure_future(machine.advance(job, JobState.SUBMITTING))
        for machine, job in zip(machines, made, strict=True)
    ]
    gone_on = await passed(posting)
    assert len(gone_on) == 3
    standing = [(await machines[0].get(job.id) or job).state for job in made]
    assert sorted(standing) == [JobState.PREPARED] * 5 + [JobState.SUBMITTING] * 3


async def test_an_account_from_the_estimate_to_the_refund_seen_from_elsewhere(machines: list[Journal]) -> None:
    one, other = machines[:2]
    job = await one.claim(new_job(1), run="graph")
    job = await other.advance(job, JobState.SUBMITTING)
    job = await one.advance(job, JobState.SUBMITTED, task_id="t")
    spend = await other.ledger.spend()
    assert (spend.today.spent, spend.today.pending, spend.month.total) == (Decimal(0), PRICE, PRICE)
    job = await other.advance(job, JobState.SUCCEEDED, billed_usd=Decimal("0.25"))
    assert (await one.ledger.spend()).today.spent == Decimal("0.25")
    failing = await one.advance(await one.claim(new_job(2), run="graph"), JobState.SUBMITTING)
    failing = await one.advance(failing, JobState.SUBMITTED, task_id="u")
    await other.advance(failing, JobState.FAILED, billed_usd=Decimal(0))
    assert (await one.ledger.spend()).today.total == Decimal("0.25")
    kinds = [[entry.kind for entry in reversed(await one.ledger.entries(job_id=each.id))] for each in (job, failing)]
    assert kinds == [["estimate", "charge", "refund"], ["estimate", "charge", "refund"]]


async def test_equal_requests_of_several_machines_reserve_once(machines: list[Journal]) -> None:
    claims = [asyncio.ensure_future(machine.claim(a_job(f"j{number}", estimate_usd=PRICE), run=""))
              for number, machine in enumerate(machines)]  # fmt: skip
    assert len({job.id for job in await passed(claims)}) == 1
    assert (await machines[0].ledger.spend()).today.total == PRICE
