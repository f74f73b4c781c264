"""A job: one clip's walk, from the wish to the file, as the journal remembers it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any


class JobState(str, Enum):
    """Where a job stands. Only SAVED and FAILED are final.

    SUBMITTING found by anyone but the process that is posting means *outcome unknown*: the provider may have
    accepted, and may bill, the job. It is shown as such and never posted again by itself.
    """

    PREPARED = "prepared"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    SUCCEEDED = "succeeded"
    SAVED = "saved"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether nothing more can happen to the job."""
        return self in (JobState.SAVED, JobState.FAILED)


TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.PREPARED: frozenset({JobState.SUBMITTING, JobState.FAILED}),
    # Back to PREPARED only when it is certain that nothing was accepted; to SUBMITTED also when the user
    # attaches a task id by hand.
    JobState.SUBMITTING: frozenset({JobState.PREPARED, JobState.SUBMITTED, JobState.FAILED}),
    # SUBMITTED to itself: the user replaces a task id that was mistaken.
    JobState.SUBMITTED: frozenset({JobState.SUBMITTED, JobState.SUCCEEDED, JobState.FAILED}),
    # SUCCEEDED to itself: a fresh URL for the same result.
    JobState.SUCCEEDED: frozenset({JobState.SUCCEEDED, JobState.SAVED}),
    # SAVED back to SUCCEEDED: the file was removed by the user, and can be fetched again.
    JobState.SAVED: frozenset({JobState.SUCCEEDED}),
    # FAILED to SUBMITTED: the user has its task asked about once more, which costs nothing.
    JobState.FAILED: frozenset({JobState.SUBMITTED}),
}
"""Which state may follow which. The journal refuses every other step."""


ABANDONED = "JobDropped"
"""The ``error_kind`` of a job that its user gave up while it goes on at the provider."""


@dataclass(frozen=True)
class Job:
    """One row of the journal, as a value. Times are Unix seconds. It never holds a key.

    ``request`` is :meth:`VideoRequest.as_json`; ``fingerprint`` identifies the wish; ``owner`` is the node or
    command that asked first; ``origin`` is where it was submitted (``https://host``);
    ``error`` is the last thing to tell the user, and stays when the job is resumable.
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
        """Whether its user gave it up while it went on, and is billed, at the provider. Wanted again, it is taken up
        again instead of being paid twice."""
        return self.state is JobState.FAILED and self.error_kind == ABANDONED

    def seconds_since_update(self, now: float) -> float:
        """How long the job has stood as it is. An update that lies in the future was written before the clock was
        set back, and counts as that long ago."""
        return abs(now - self.updated_at)

    @property
    def is_uncertain(self) -> bool:
        """Whether it is unknown if the provider accepted the job."""
        return self.state is JobState.SUBMITTING
