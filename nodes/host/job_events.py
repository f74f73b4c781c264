"""Tells every open page when a job changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from . import prompt_server
from .job_view import view

if TYPE_CHECKING:
    from ...grok_imagine.models import Job


def publish(job: Job, home: Path) -> None:
    """Send the state of a job to every open page. Called on the pack's loop, after each change."""
    prompt_server.broadcast("grok_imagine.job", view(job, home))
