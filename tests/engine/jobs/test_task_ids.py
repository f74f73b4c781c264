"""Task ids that the user enters: an unknown id is reported, and leaves no job."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from grok_imagine.errors import SettingsError, SubmitUncertain, TaskNotFound
from grok_imagine.jobs import Session
from grok_imagine.models import JobState
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import Settings

from ..support.requests import DIALECTS, connection_for, request_for
from ..support.sessions import Open, only_job, paid

UNKNOWN = "task_00000000000000000000000000000000"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_unknown_id_is_named_and_keeps_no_job(dialect: str, open_session: Open, sandbox: Sandbox) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with open_session(sleep=sleep) as session:
        with pytest.raises(TaskNotFound, match=f"does not know the task '{UNKNOWN}': the id is wrong, or"):
            await session.collect(connection_for(dialect), UNKNOWN)
        assert await session.journal.recent() == []
    assert sum(slept) >= 10, "a replica may need some seconds"
    assert sandbox.ledger()["posts"] == 0


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_task_of_another_account_is_named(dialect: str, open_session: Open, sandbox: Sandbox) -> None:
    mine = paid(sandbox, dialect)["paid"]
    other = {**mine, "api_key": mine["api_key"][:-1] + "2"}
    async with open_session(connections={"mine": mine, "other": other}) as session:
        made = await session.generate(request_for(dialect), "mine")
        with pytest.raises(TaskNotFound, match="another account than the key of the connection 'other'"):
            await session.collect("other", str(made.job.task_id))
        assert (await session.collect("mine", str(made.job.task_id))).job.id == made.job.id
        await only_job(session)


async def test_a_task_that_a_replica_learns_late_is_collected(session: Session, sandbox: Sandbox) -> None:
    base = f"{sandbox.url}/reapi/api/v1"
    body = {"model": "grok-imagine-1.0-video", "prompt": "a kite [sandbox:404@poll*2]", "duration": 6}
    async with httpx.AsyncClient(headers={"Authorization": "Bearer rk_live_sandbox"}) as client:
        task = (await client.post(f"{base}/videos/generations", json=body)).json()["id"]
    assert (await session.collect("sandbox", task)).job.state is JobState.SAVED


async def test_an_id_is_attached_where_the_provider_cannot_be_asked(tmp_path: Path, sandbox: Sandbox) -> None:
    async with Session(tmp_path, Settings(sandbox_url=sandbox.url, connections=paid(sandbox))) as session:
        with pytest.raises(SubmitUncertain):
            await session.generate(request_for("reapi", prompt="a kite [sandbox:drop-after]"), "paid")
        job = await only_job(session)
        with pytest.raises(SettingsError, match="cannot be a task id"):
            await session.attach(job.id, "a b")
    async with Session(tmp_path, Settings(sandbox_url=sandbox.url)) as session:  # its connection is gone
        attached = await asyncio.wait_for(session.attach(job.id, "task_1"), 10)
        assert (attached.state, attached.task_id) == (JobState.SUBMITTED, "task_1")
