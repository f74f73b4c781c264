"""Keeps a paid step running to its end, also when whoever waits for it is interrupted: its answer is not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any

from ...models import Job


class InFlightSteps:
    """The steps of one session that are being run to their end now, by their jobs' ids."""

    def __init__(self) -> None:
        self._kept: dict[str, asyncio.Task[Job]] = {}

    async def run(self, job_id: str, step: Coroutine[Any, Any, Job]) -> Job:
        """The step's outcome. A second walker on the same job shares the first one's."""
        task = self._kept.get(job_id)
        if task is not None:
            step.close()
            return await asyncio.shield(task)
        task = asyncio.ensure_future(step)
        self._kept[job_id] = task
        task.add_done_callback(lambda done: self._forget(job_id, done))
        return await asyncio.shield(task)

    def get(self, job_id: str) -> Awaitable[Job] | None:
        """The step of that job that is under way; None where there is none."""
        task = self._kept.get(job_id)
        return asyncio.shield(task) if task else None

    @property
    def tasks(self) -> frozenset[asyncio.Task[Job]]:
        """What is in flight now."""
        return frozenset(self._kept.values())

    async def finish(self) -> None:
        """Wait for what is in flight: the answer to a POST is worth the wait, it names a paid task."""
        if self._kept:
            await asyncio.wait(self._kept.values())

    def _forget(self, job_id: str, done: asyncio.Task[Job]) -> None:
        self._kept.pop(job_id, None)
        if not done.cancelled():
            done.exception()  # seen: the journal has what it means, even when nobody waits for it any more
