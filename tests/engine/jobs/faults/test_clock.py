"""A system clock that is set back: no job waits longer because of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from grok_imagine.errors import JobError, SubmitUncertain
from grok_imagine.jobs import Session
from grok_imagine.jobs.new_job import new_id
from grok_imagine.journal.job_query import JobQuery, query_jobs
from grok_imagine.models import Job, JobState
from grok_imagine.sandbox import Sandbox
from grok_imagine.sandbox.clock import Clock
from grok_imagine.settings import Settings

from ...support.sessions import Watch

NOW = 1_700_000_000.0
HOUR = 3600.0


class SetBack(Watch):
    """The monotonic clock goes on; the system's is set back by an hour at the first sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.back = 0.0

    def now(self) -> float:
        return NOW + self.seconds - self.back

    async def sleep(self, seconds: float) -> None:
        self.back = HOUR
        await super().sleep(seconds)


def session(home: Path, sandbox: Sandbox, clock: SetBack, **settings: float) -> Session:
    stated = Settings(sandbox_url=sandbox.url, **settings)
    return Session(home, stated, sleep=clock.sleep, now=clock.now, monotonic=clock.read)


async def posted(opened: Session, clock: SetBack, ahead: float) -> Job:
    """A job that another process is posting, written ``ahead`` seconds after what the clock shows now."""
    plain = {"connection": "sandbox", "provider": "reapi", "model": "m", "mode": "text", "fingerprint": "f"}
    clock.back = -ahead
    job = Job(id=new_id(clock.now()), state=JobState.SUBMITTING, request={"prompt": "a kite"}, **plain)
    job = await opened.journal.add(job)
    clock.back = 0
    return job


@pytest.mark.parametrize("ahead", [0, HOUR])
async def test_the_answer_to_another_runs_post_is_awaited_no_longer(
    tmp_path: Path, sandbox: Sandbox, ahead: float
) -> None:
    clock = SetBack()
    async with session(tmp_path, sandbox, clock, answer_seconds=100) as opened:
        job = await posted(opened, clock, ahead)
        with pytest.raises(SubmitUncertain):
            await opened.resume(job.id)
    assert 100 <= clock.seconds < 300


async def test_an_unknown_task_is_reported_after_the_seconds_that_replicas_need(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    clock = SetBack()
    async with session(tmp_path, sandbox, clock, deadline_seconds=4 * HOUR) as opened:
        job = await opened.journal.advance(
            await posted(opened, clock, 0),
            JobState.SUBMITTED,
            task_id="task_018f5a3a1b6e7d9f",
            submitted_at=clock.now(),
        )
        with pytest.raises(JobError, match="does not know this task"):
            await opened.resume(job.id)
    assert clock.seconds < 600


async def test_a_post_from_before_counts_as_of_unknown_outcome(tmp_path: Path, sandbox: Sandbox) -> None:
    clock = SetBack()
    async with session(tmp_path, sandbox, clock, answer_seconds=100) as opened:
        job = await posted(opened, clock, HOUR)
        query = JobQuery("attention", unanswered_since=NOW - 100, latest=NOW + 100)
        found = await opened.journal.transaction(lambda connection: query_jobs(connection, query))
        assert [one.id for one in found.jobs] == [job.id]
        assert (await opened.resubmit(job.id)).state is JobState.PREPARED


def test_the_sandboxs_tasks_continue(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, before = Clock(), time.time()
    monkeypatch.setattr(time, "time", lambda: before - HOUR)
    assert before <= clock.now() < before + 60
