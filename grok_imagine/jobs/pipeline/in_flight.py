"""Runs a paid step to its end, even if the caller is interrupted, so that its answer is not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any

from ...models import Job


class InFlightSteps:
    """The running steps of one session, by job id."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Job]] = {}

    async def run(self, job_id: str, step: Coroutine[Any, Any, Job]) -> Job:
        """Run the step and return its result. A second run of the same job shares the first one's step."""
        task = self._tasks.get(job_id)
        if task is not None:
            step.close()
            return await asyncio.shield(task)
        task = asyncio.ensure_future(step)
        self._tasks[job_id] = task
        task.add_done_callback(lambda done: self._forget(job_id, done))
        return await asyncio.shield(task)

    def get(self, job_id: str) -> Awaitable[Job] | None:
        """The running step of that job, or None."""
        task = self._tasks.get(job_id)
        return asyncio.shield(task) if task else None

    @property
    def tasks(self) -> frozenset[asyncio.Task[Job]]:
        """The steps that run now."""
        return frozenset(self._tasks.values())

    async def finish(self) -> None:
        """Wait for all running steps: the answer to a POST names a paid task."""
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    def _forget(self, job_id: str, done: asyncio.Task[Job]) -> None:
        self._tasks.pop(job_id, None)
        if not done.cancelled():
            done.exception()  # marks it as retrieved; the journal has its outcome, even if nobody awaits it
