"""What a provider says of a task, in our own words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .capability import Cost


class TaskPhase(Enum):
    """Where a task stands at the provider. UNKNOWN is neither success nor failure: keep polling."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class TaskError:
    """Why a task failed, as the provider tells it (redacted and shortened)."""

    message: str
    code: str | None = None
    is_moderation: bool = False
    is_expired: bool = False


@dataclass(frozen=True)
class TaskStatus:
    """One reading of a task.

    ``word`` is the provider's own spelling; ``percent`` is 0..100 and never decides anything; ``video_url`` is
    only read once the task is DONE; ``cost`` is what the provider says it billed, where it says so.
    """

    phase: TaskPhase
    word: str = ""
    percent: float | None = None
    video_url: str | None = None
    error: TaskError | None = None
    cost: Cost | None = None
