"""A job: one clip from the request to the file, as the journal stores it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any


class JobState(str, Enum):
    """A job's state. Only SAVED and FAILED are final.

    SUBMITTING means *outcome unknown* for all but the process that sends the POST: the provider may have accepted, and
    may bill, the job. It is never sent again automatically.
    """

    PREPARED = "prepared"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    SUCCEEDED = "succeeded"
    SAVED = "saved"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self in (JobState.SAVED, JobState.FAILED)


TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.PREPARED: frozenset({JobState.SUBMITTING, JobState.FAILED}),
    # Back to PREPARED only if certainly nothing was accepted; to SUBMITTED also when the user attaches a task id.
    JobState.SUBMITTING: frozenset({JobState.PREPARED, JobState.SUBMITTED, JobState.FAILED}),
    # SUBMITTED to itself: the user replaces a wrong task id.
    JobState.SUBMITTED: frozenset({JobState.SUBMITTED, JobState.SUCCEEDED, JobState.FAILED}),
    # SUCCEEDED to itself: a new URL for the same result.
    JobState.SUCCEEDED: frozenset({JobState.SUCCEEDED, JobState.SAVED}),
    # SAVED back to SUCCEEDED: the file is gone or damaged and can be downloaded again.
    JobState.SAVED: frozenset({JobState.SUCCEEDED}),
    # FAILED to SUBMITTED: its task is polled again, at no cost.
    JobState.FAILED: frozenset({JobState.SUBMITTED}),
}
"""The states that may follow each state. The journal refuses every other change."""


ABANDONED = "JobDropped"
"""The ``error_kind`` of a job that its user abandoned while it continues at the provider."""


@dataclass(frozen=True)
class Job:
    """A job as stored in the journal. Times are Unix seconds. It never contains a key.

    ``request`` is :meth:`VideoRequest.as_json`; ``fingerprint`` identifies the request; ``owner`` is the node or
    command that requested it first; ``origin`` is where it was submitted (``https://host``); ``error`` is the last
    message for the user, also of a job that can be resumed.
    """

    id: str
    state: JobState
    connection: str
    provider: str
    model: str
    mode: str
    request: dict[str, Any]
    fingerprint: str
    owner: str = ""
    task_id: str | None = None
    result_url: str | None = field(default=None, repr=False)
    file: Path | None = None
    estimate_usd: Decimal | None = None
    estimate_credits: Decimal | None = None
    billed_usd: Decimal | None = None
    error: str | None = None
    error_kind: str | None = None
    created_at: float = 0.0
    updated_at: float = 0.0
    submitted_at: float | None = None
    finished_at: float | None = None
    origin: str | None = None
    file_size: int | None = None
    """Bytes. This and ``file_sha256`` are those of the saved clip; None for clips saved by older versions."""
    file_sha256: str | None = None

    @property
    def is_abandoned(self) -> bool:
        """Whether its user abandoned it while it continues, and is billed, at the provider.

        An equal request resumes it, so that it is not paid twice.
        """
        return self.state is JobState.FAILED and self.error_kind == ABANDONED

    def seconds_since_update(self, now: float) -> float:
        """Seconds since the last change. An update in the future was written before the clock was set back, and counts
        as that long ago."""
        return abs(now - self.updated_at)

    @property
    def is_uncertain(self) -> bool:
        """Whether it is unknown if the provider accepted the job."""
        return self.state is JobState.SUBMITTING
