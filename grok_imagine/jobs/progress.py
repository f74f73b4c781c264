"""The port through which a job tells its host how it goes: ComfyUI shows text, the command line a bar."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from ..models import Cost, Job

BUDGET_RUN_ID: ContextVar[str] = ContextVar("grok_imagine_run", default="")
"""What a budget per run counts together, for all that a host starts within it: a queued graph, a command."""

USER_ID: ContextVar[str] = ContextVar("grok_imagine_user", default="")
"""The user of a host with several users to whom the jobs belong that are started now."""


@dataclass(frozen=True)
class ProgressUpdate:
    """One moment of a job. ``elapsed`` is in seconds since this run of the job began; ``percent`` is the provider's
    own, if any.

    ``cost`` is what the provider takes for it; on the sandbox nobody takes anything.
    ``step`` is one of preparing, uploading, submitting, queued, generating, downloading, done.
    """

    job: Job
    step: str
    elapsed: float
    percent: float | None = None
    note: str = ""
    cost: Cost | None = None
    is_sandbox: bool = False

    @property
    def price(self) -> str:
        """The cost in words, for people."""
        if self.cost is None:
            return "price: see the provider's page"
        return f"free here; elsewhere {self.cost}" if self.is_sandbox else str(self.cost)


class Progress(Protocol):
    """Whoever wants to know. Called on the session's loop; it must return at once."""

    def update(self, update: ProgressUpdate) -> None:
        """Take notice."""
        ...


class SilentProgress:
    """For hosts that do not look."""

    def update(self, update: ProgressUpdate) -> None:
        """Take no notice."""
