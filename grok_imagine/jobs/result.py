"""The result of a finished job: the job and its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import JobFailed
from ..models import Job


@dataclass(frozen=True)
class Result:
    """A finished job and its file.

    ``warnings`` are about the request, for the user. ``is_reused``: the clip existed already and cost nothing now.
    """

    job: Job
    file: Path
    warnings: tuple[str, ...] = ()
    is_reused: bool = False


def result_of(job: Job, warnings: tuple[str, ...] = (), is_reused: bool = False) -> Result:
    """The result of a job that has ended. Raises JobFailed for one without a file."""
    if job.file is None:
        raise JobFailed(job.error or "the job ended without a file", job_id=job.id, task_id=job.task_id)
    return Result(job, job.file, warnings, is_reused)
