"""Converts jobs to rows of the journal's table and back, and the order in which equal requests find them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ..errors import ContentRejected
from ..models import Job, JobState
from ..models.job import ABANDONED
from .schema import jobs

NEWEST = (jobs.c.created_at.desc(), jobs.c.id.desc())
_PROGRESS = {state.value: number for number, state in enumerate(JobState) if state is not JobState.FAILED}
# In older journals each node has a job of its own for equal requests: a finished one is better than a newer one.
FURTHEST = (sa.case(_PROGRESS, value=jobs.c.state, else_=-1).desc(), *NEWEST)
_FINAL_ERRORS = (ABANDONED, ContentRejected.__name__)
"""Failed jobs that an equal request still finds: abandoned ones that are billed, and those refused by moderation."""
_COLUMNS = tuple(each.name for each in fields(Job))


def is_current() -> sa.ColumnElement[bool]:
    """Whether a job is found by an equal request: it has not failed, or its failure is final."""
    return (jobs.c.state != JobState.FAILED.value) | jobs.c.error_kind.in_(_FINAL_ERRORS)


def row_of(job: Job) -> dict[str, Any]:
    """A Job as a row of the table."""
    row = {name: getattr(job, name) for name in _COLUMNS}
    return {**row, "state": job.state.value, "file": None if job.file is None else str(job.file)}


def job_from_row(row: Mapping[Any, Any]) -> Job:
    """A row of the table as a Job."""
    values: dict[str, Any] = {name: row[name] for name in _COLUMNS}
    values["state"] = JobState(values["state"])
    values["file"] = Path(values["file"]) if values["file"] else None
    return Job(**values)
