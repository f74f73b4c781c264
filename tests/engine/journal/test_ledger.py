"""The ledger under every order of steps: sums never negative, every account where its job says it belongs."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from grok_imagine.errors import OverBudget
from grok_imagine.journal import ledger
from grok_imagine.journal.journal import Journal
from grok_imagine.models import TRANSITIONS, Job, JobState
from grok_imagine.models.money import ZERO, Limits

from ..support.requests import a_job

DAY = Decimal(1)
MONEY = st.decimals("0.001", "0.6", places=3)


class Walks(RuleBasedStateMachine):
    """Jobs moved along every allowed step, with a clock that goes on, against a journal in a real file."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.now = 1.7e9
        self.journal = Journal(Path(mkdtemp()), lambda: self.now, limits=Limits(per_day=DAY))
        self.loop.run_until_complete(self.journal.__aenter__())
        self.jobs: dict[str, Job] = {}

    def teardown(self) -> None:
        self.loop.run_until_complete(self.journal.__aexit__(None, None, None))
        self.loop.close()

    def do(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @rule(estimate=MONEY)
    def claim(self, estimate: Decimal) -> None:
        name = f"j{len(self.jobs)}-{self.now}"
        used = self.do(self.journal.ledger.spend()).today.total
        try:
            self.jobs[name] = self.do(self.journal.claim(a_job(name, fingerprint=name, estimate_usd=estimate), run=""))
        except OverBudget:
            assert self.do(self.journal.get(name)) is None
            assert used + estimate > DAY or self.do(self.journal.ledger.spend()).today.total <= used
        else:
            assert used + estimate <= DAY or self.do(self.journal.ledger.spend()).today.total <= DAY

    @rule(data=st.data(), billed=st.none() | st.just(ZERO) | MONEY)
    def move(self, data: st.DataObject, billed: Decimal | None) -> None:
        if not self.jobs:
            return
        job = self.jobs[data.draw(st.sampled_from(sorted(self.jobs)))]
        to = data.draw(st.sampled_from(sorted(TRANSITIONS[job.state])))
        if to in (JobState.SUBMITTED, JobState.PREPARED, JobState.SUBMITTING):
            billed = None
        try:
            self.jobs[job.id] = self.do(self.journal.advance(job, to, billed_usd=billed))
        except OverBudget:
            assert to is JobState.SUBMITTING

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if self.jobs:
            self.do(self.journal.release(self.jobs[data.draw(st.sampled_from(sorted(self.jobs)))]))

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        self.now += hours * 3600

    @invariant()
    def every_account_balances(self) -> None:
        for job in self.jobs.values():

            def read(connection: Any, job_id: str = job.id) -> Any:
                return ledger.read_account(connection, job_id)

            account = self.do(self.journal.transaction(read))
            held, spent = ledger.target_balance(job)
            assert account.spent == spent
            assert account.held in ({ZERO, held} if job.state is JobState.PREPARED else {held})

    @invariant()
    def no_sum_is_negative(self) -> None:
        spend = self.do(self.journal.ledger.spend())
        for one in (spend.today, spend.month):
            assert one.spent >= 0
            assert one.pending >= 0


Walks.TestCase.settings = settings(
    max_examples=settings().max_examples // 8,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestWalks = Walks.TestCase
