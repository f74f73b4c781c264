"""Five hundred jobs at once in one process, a fifth of them with a fault: each ends as its fault says."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Any

import pytest

from grok_imagine.errors import GrokImagineError
from grok_imagine.jobs import Session
from grok_imagine.models import JobState
from grok_imagine.sandbox import Sandbox

from ...support.requests import request_for
from ...support.sessions import Open

pytestmark = pytest.mark.slow

JOBS = 500
EACH = 10
RATE, PLACES, BURST = 200.0, 60, 5
# fault -> where the job ends, what its caller is told, whether a charge remains
FAULTS: dict[str, tuple[JobState, str | None, bool]] = {
    "401": (JobState.FAILED, "AuthRejected", False),
    "402": (JobState.FAILED, "OutOfCredit", False),
    "500=accepted": (JobState.SUBMITTING, "SubmitUncertain", True),
    "drop-after": (JobState.SUBMITTING, "SubmitUncertain", True),
    "drop-before": (JobState.SUBMITTING, "SubmitUncertain", False),
    "failed": (JobState.FAILED, "JobFailed", False),
    "moderated": (JobState.FAILED, "ContentRejected", False),
    "503@poll*2": (JobState.SAVED, None, True),
    "truncated-json@poll": (JobState.SAVED, None, True),
    "cut@cdn": (JobState.SAVED, None, True),
}
NOT_TAKEN = ("401", "402", "drop-before")
WAITED_OUT = 10
"""Further POSTs that are answered 429, whosever they are: they are sent again, and all end well."""


async def test_five_hundred_jobs_each_end_in_the_expected_state(open_session: Open, sandbox: Sandbox) -> None:
    sandbox.core.requests = deque()  # all of them, not the last ones
    sandbox.fault("submit", "429=1", times=WAITED_OUT)
    requests = [fault for fault in FAULTS for _ in range(EACH)]
    requests += [""] * (JOBS - len(requests))
    own: dict[str, Any] = {"dialect": "reapi", "base_url": f"{sandbox.url}/reapi", "api_key": "rk_live_sandbox_many"}
    own |= {"pace": 0.1, "requests_per_second": RATE, "jobs_at_once": PLACES}
    async with open_session(connections={"many": own}) as session:
        ends = await asyncio.gather(*(_end(session, number, fault) for number, fault in enumerate(requests)))
        jobs = {job.owner: job for job in await session.journal.recent(limit=2 * JOBS)}
        spans = [await _span(session, job.id) for job in jobs.values()]
    expected = Counter((fault, *FAULTS.get(fault, (JobState.SAVED, None, True))[:2]) for fault in requests)
    found = Counter((fault, jobs[str(number)].state, ends[number]) for number, fault in enumerate(requests))
    assert found == expected
    assert len(jobs) == JOBS
    _paid_as_it_should(sandbox, requests)
    _within_bounds(sandbox, [span for span in spans if span])


async def _end(session: Session, number: int, fault: str) -> str | None:
    """The name of the error that the caller gets, or None for a clip."""
    prompt = f"a kite [sandbox:{fault}]" if fault else "a kite"
    try:
        result = await session.generate(request_for("reapi", prompt=prompt, seed=number), "many", owner=str(number))
    except GrokImagineError as error:
        return type(error).__name__
    assert result.file.stat().st_size > 1000
    return None


async def _span(session: Session, job_id: str) -> tuple[float, float] | None:
    """From when to when the task ran at the provider, where it did."""
    steps = await session.journal.history(job_id)
    begun = [step["at"] for step in steps if step["after"] == JobState.SUBMITTED.value]
    done = [step["at"] for step in steps if step["before"] == JobState.SUBMITTED.value]
    return (begun[0], done[0]) if begun and done else None


def _paid_as_it_should(sandbox: Sandbox, requests: list[str]) -> None:
    ledger = sandbox.ledger()
    taken = [fault for fault in requests if fault not in NOT_TAKEN]
    assert (ledger["submits"], ledger["posts"]) == (len(taken), JOBS + WAITED_OUT)
    charged = Counter(entry["task"] for entry in ledger["entries"] if entry["kind"] == "charge")
    refunded = {entry["task"] for entry in ledger["entries"] if entry["kind"] == "refund"}
    assert len(charged) == len(taken)
    assert max(charged.values()) == 1
    assert len(charged) - len(refunded) == sum(FAULTS.get(fault, (None, None, True))[2] for fault in requests)


def _within_bounds(sandbox: Sandbox, spans: list[tuple[float, float]]) -> None:
    """The connection's limits: tasks in flight together, and requests a second over the whole time."""
    moments = sorted([(begun, 1) for begun, _ in spans] + [(done, -1) for _, done in spans])
    busy = most = 0
    for _, step in moments:
        busy += step
        most = max(most, busy)
    assert PLACES / 2 < most <= PLACES, "the places are used, and no more of them"
    asked = [one["time"] for one in sandbox.requests() if not one["path"].startswith("/cdn/")]
    # Every POST, a poll for each task whose id is known, and one more for each poll that a fault spoils.
    unknown = ("401", "402", "500=accepted", "drop-after", "drop-before")
    assert len(asked) >= JOBS + WAITED_OUT + (JOBS - len(unknown) * EACH) + 3 * EACH
    assert len(asked) <= (max(asked) - min(asked)) * RATE + BURST + RATE / 10
