"""A journal that tells, after each change that is safely written, how the job now stands: a page shows it live."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ..models import Job, JobState
from .journal import Journal

JobListener = Callable[[Job], None]


class ObservableJournal(Journal):
    """:class:`Journal`, and ``heard(job)`` is called on the session's loop after every write; it returns at once."""

    def __init__(self, *arguments: Any, heard: JobListener, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._heard = heard

    async def add(self, job: Job) -> Job:
        return self._told(await super().add(job))

    async def claim(self, job: Job, **named: Any) -> Job:
        return self._told(await super().claim(job, **named))

    async def advance(self, job: Job, to: JobState, note: str | None = None, **changes: Any) -> Job:
        return self._told(await super().advance(job, to, note, **changes))

    async def remember(self, job: Job, **changes: Any) -> Job:
        return self._told(await super().update_fields(job, **changes))

    async def replace(self, job: Job, by: Job, note: str) -> Job:
        made = await super().supersede(job, by, note)
        ended = await self.get(job.id)
        if ended is not None:
            self._told(ended)
        return self._told(made)

    def _told(self, job: Job) -> Job:
        try:
            self._heard(job)
        except Exception as error:  # whoever listens must not end a paid job
            logging.getLogger(__name__).debug("a change of job %s was not heard: %s", job.id, type(error).__name__)
        return job
