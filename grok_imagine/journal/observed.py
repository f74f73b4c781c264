"""A journal that calls a listener after each committed change, so that the panel can show jobs live."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ..models import Job, JobState
from .journal import Journal

JobListener = Callable[[Job], None]


class ObservableJournal(Journal):
    """A :class:`Journal` that calls ``listener(job)`` on the session's loop after every write. It must not block."""

    def __init__(self, *arguments: Any, listener: JobListener, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._listener = listener

    async def add(self, job: Job) -> Job:
        return self._notify(await super().add(job))

    async def claim(self, job: Job, **named: Any) -> Job:
        return self._notify(await super().claim(job, **named))

    async def advance(self, job: Job, to: JobState, note: str | None = None, **changes: Any) -> Job:
        return self._notify(await super().advance(job, to, note, **changes))

    async def update_fields(self, job: Job, **changes: Any) -> Job:
        return self._notify(await super().update_fields(job, **changes))

    async def supersede(self, job: Job, by: Job, note: str) -> Job:
        new_job = await super().supersede(job, by, note)
        ended = await self.get(job.id)
        if ended is not None:
            self._notify(ended)
        return self._notify(new_job)

    def _notify(self, job: Job) -> Job:
        try:
            self._listener(job)
        except Exception as error:  # a faulty listener must not end a paid job
            logging.getLogger(__name__).debug("the listener failed for job %s: %s", job.id, type(error).__name__)
        return job
