"""Stores each job's workflow, and which jobs the user removed from the list."""

from __future__ import annotations

import hashlib
import zlib
from typing import Any

import sqlalchemy as sa

from ..models import Job
from .schema import jobs, shelved, workflows

_MAX_BYTES = 16 * 1024 * 1024
"""Larger workflows (in bytes of JSON) contain images and are not stored."""


def save_workflow(connection: sa.Connection, job: Job, workflow: bytes, now: float) -> None:
    """Store the workflow (JSON) that a job came from, unless one is stored already."""
    if len(workflow) > _MAX_BYTES or _entry(connection, job.id) is not None:
        return
    name = hashlib.sha256(workflow).hexdigest()
    if connection.execute(sa.select(workflows.c.sha256).where(workflows.c.sha256 == name)).first() is None:
        data = zlib.compress(workflow, 6)
        connection.execute(workflows.insert().values(sha256=name, data=data, created_at=now))
    connection.execute(shelved.insert().values(job_id=job.id, workflow=name))


def read_workflow(connection: sa.Connection, job_id: str) -> bytes | None:
    """The workflow of a job as JSON, or None."""
    query = sa.select(workflows.c.data).select_from(shelved.join(workflows)).where(shelved.c.job_id == job_id)
    data = connection.execute(query).scalar_one_or_none()
    return None if data is None else zlib.decompress(data)


def has_workflow(connection: sa.Connection, job_id: str) -> bool:
    """Whether the workflow of a job is stored."""
    entry = _entry(connection, job_id)
    return entry is not None and entry.workflow is not None


def remove_job(connection: sa.Connection, job: Job, now: float) -> None:
    """Remove a job from the list. Equal requests no longer find it; its cost still counts."""
    if _entry(connection, job.id) is None:
        connection.execute(shelved.insert().values(job_id=job.id, removed_at=now))
    else:
        connection.execute(shelved.update().where(shelved.c.job_id == job.id).values(removed_at=now))
    connection.execute(jobs.update().where(jobs.c.id == job.id).values(fingerprint=""))


def _entry(connection: sa.Connection, job_id: str) -> Any:
    return connection.execute(shelved.select().where(shelved.c.job_id == job_id)).one_or_none()
