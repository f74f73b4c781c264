"""How often jobs are polled while many of them wait in one process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from grok_imagine.jobs import Session
from grok_imagine.jobs.pipeline import context
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import Settings

from ..support.requests import request_for
from ..support.sessions import paid


@pytest.mark.parametrize(
    ("count", "pace", "longest"),
    [(2, 1.0, 1.0), (8, 1.0, 4.0), (2, 0.1, 0.5), (8, 0.1, 2.0)],
    ids=["few, between reports", "many, between reports", "few, between polls", "many, between polls"],
)
async def test_beyond_the_full_pace_each_job_is_polled_less_often(
    count: int, pace: float, longest: float, held: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "JOBS_AT_FULL_PACE", 2)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0.01)

    settings = Settings(connections=paid(held, pace=pace, jobs_at_once=8, requests_per_second=1000))
    async with Session(tmp_path, settings, sleep=sleep, monotonic=lambda: 1.0) as session:  # no wait ever ends
        jobs = [asyncio.ensure_future(session.generate(request_for("reapi", seed=n), "paid")) for n in range(count)]
        while len(waits) < 150:
            await asyncio.sleep(0.01)
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
    assert max(waits) == longest
