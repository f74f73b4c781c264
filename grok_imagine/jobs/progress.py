"""How a job reports its progress to the host: ComfyUI shows text, the command line a bar."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from ..models import Cost, Job

BUDGET_RUN_ID: ContextVar[str] = ContextVar("grok_imagine_run", default="")
"""The run (a queued graph, a command) to which the budget per run counts the jobs that are started now."""

USER_ID: ContextVar[str] = ContextVar("grok_imagine_user", default="")
"""The user to whom the jobs belong that are started now; empty on a host with one user."""


@dataclass(frozen=True)
class ProgressUpdate:
    """A job's progress at one moment.

    ``step`` is one of preparing, uploading, submitting, queued, generating, downloading, done. ``elapsed`` is in
    seconds since this run of the job began. ``percent`` (0..100) is the provider's or the download's, if known.
    ``cost`` is the provider's price; the sandbox is free.
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
        """The cost as text for users."""
        if self.cost is None:
            return "price: see the provider's page"
        return f"free here; elsewhere {self.cost}" if self.is_sandbox else str(self.cost)


class Progress(Protocol):
    """Receives a job's progress, on the session's event loop. It must return at once."""

    def update(self, update: ProgressUpdate) -> None:
        """Handle one update."""
        ...


class SilentProgress:
    """Ignores progress."""

    def update(self, update: ProgressUpdate) -> None:
        """Do nothing."""
