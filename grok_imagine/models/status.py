"""A task's status, independent of providers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .capability import Cost


class TaskPhase(Enum):
    """A task's phase at the provider. UNKNOWN is neither success nor failure: keep polling."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class TaskError:
    """Why a task failed, in the provider's words, redacted and shortened."""

    message: str
    code: str | None = None
    is_moderation: bool = False
    is_expired: bool = False


@dataclass(frozen=True)
class TaskStatus:
    """The answer to one poll.

    ``word`` is the provider's own name of the phase; ``percent`` (0..100) is only displayed; ``video_url`` is set only
    when the task is DONE; ``cost`` is what the provider says it billed, or None.
    """

    phase: TaskPhase
    word: str = ""
    percent: float | None = None
    video_url: str | None = None
    error: TaskError | None = None
    cost: Cost | None = None
