"""What the steps of a job share: services, connection, request and progress."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...journal.journal import Journal
from ...models import Cost, Job, VideoRequest
from ...storage.base import Store
from ...transport.client import Client
from ...transport.retry import Backoff
from ..connections import Connection
from ..progress import Progress, ProgressUpdate, SilentProgress
from ..uploads.publish import Publisher
from .callbacks import CallbackRegistry
from .shared_results import SharedResults

JOBS_AT_FULL_PACE = 200


@dataclass
class PollLoad:
    """How many jobs of a session wait for their provider. Polls take about 2 ms of CPU each, so that a thousand jobs
    at their provider's pace would take most of a core."""

    jobs: int = 0

    @property
    def stretch(self) -> float:
        """By which factor polls and progress reports are further apart; 1 up to ``JOBS_AT_FULL_PACE`` jobs."""
        return max(1.0, self.jobs / JOBS_AT_FULL_PACE)

    @contextmanager
    def one_more(self) -> Generator[None]:
        """Count one more job within the block."""
        self.jobs += 1
        try:
            yield
        finally:
            self.jobs -= 1


@dataclass(frozen=True)
class SessionServices:
    """What all jobs of a session share."""

    journal: Journal
    client: Client
    publisher: Publisher
    results: Path
    sleep: Callable[[float], Awaitable[None]]
    run_in_flight: Callable[[str, Coroutine[Any, Any, Job]], Awaitable[Job]]
    """Runs a job's step to its end, even if the caller is canceled."""
    in_flight: Callable[[str], Awaitable[Job] | None]
    """The step of that job that runs now, if there is one."""
    deadline_seconds: float
    answer_seconds: float
    """How long to wait for the answer to another process's POST before its outcome counts as unknown."""
    max_download_bytes: int
    writes_metadata: bool = True
    """Whether finished clips get metadata that says how they were made."""
    shared_results: SharedResults | None = None
    """Where finished clips are copied for the other machines that share the journal."""
    callbacks: CallbackRegistry | None = None
    """The jobs that wait for a callback; None in a process that receives none."""
    submit_backoff: Backoff = field(default_factory=lambda: Backoff(first=2, longest=60, tries=5))
    poll_load: PollLoad = field(default_factory=PollLoad)
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time


@dataclass
class JobContext:
    """One running job. ``request`` is None for a job that was resumed by its id."""

    services: SessionServices
    connection: Connection
    store: Callable[[], Store]
    """Chooses the store for uploads. Raises SettingsError."""
    request: VideoRequest | None = None
    progress: Progress = field(default_factory=SilentProgress)
    notes: tuple[str, ...] = ()
    _began: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since this run of the job began."""
        now = self.services.monotonic()
        if self._began is None:
            self._began = now
        return now - self._began

    def report(self, job: Job, step: str, *, percent: float | None = None, note: str = "") -> None:
        """Report the job's progress to the host."""
        self.progress.update(
            ProgressUpdate(
                job, step, self.elapsed, percent, note, cost_of(job), self.connection.sandbox_url is not None
            )
        )


def cost_of(job: Job) -> Cost | None:
    """The job's billed cost, else its estimate, else None."""
    if job.billed_usd is not None:
        return Cost(None, job.billed_usd, is_estimate=False)
    if job.estimate_usd is not None:
        return Cost(job.estimate_credits, job.estimate_usd)
    return None
