"""Tells the open pages of a job's user when it changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from . import pages
from .job_view import view

if TYPE_CHECKING:
    from ...grok_imagine.models import Job


def publish(job: Job, home: Path) -> None:
    """Send the state of a job to its user's open pages. Called on the pack's loop, after each change."""
    pages.publish("grok_imagine.job", view(job, home))
