"""Lists jobs by page, newest first, filtered by group and search words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ..models import Job, JobState
from .journal import job_from_row
from .schema import jobs, shelved

GROUPS = ("all", "open", "attention", "done", "failed")
"""The filters of the list. ``attention`` has the jobs that continue only if the user acts."""
_REMOVED = sa.select(shelved.c.job_id).where(shelved.c.removed_at.is_not(None))
_FINAL = [state.value for state in JobState if state.is_final]


@dataclass(frozen=True)
class JobQuery:
    """A filter for jobs. ``before`` is the ``next`` of the previous page. A request that was sent before
    ``unanswered_since`` (Unix seconds) and has no answer counts as of unknown outcome; so does one of after
    ``latest``, from before the clock was set back."""

    group: str = "all"
    search: str = ""
    before: str = ""
    limit: int = 100
    unanswered_since: float = 0.0
    latest: float = float("inf")


@dataclass(frozen=True)
class JobPage:
    """One page of jobs. ``next`` is the cursor of the following page, empty on the last one. ``counts`` has the
    number of jobs per group that match the search, ``with_workflow`` the ids of jobs whose workflow is stored."""

    jobs: list[Job]
    with_workflow: frozenset[str]
    next: str
    counts: Mapping[str, int]


def query_jobs(connection: sa.Connection, query: JobQuery) -> JobPage:
    """The page of jobs that ``query`` asks for. Raises ValueError for an unknown group or a malformed ``before``.

    The cursor is the time and id of the last job, not an offset, so jobs that are added meanwhile do not shift pages.
    """
    groups = _groups(query)
    if query.group not in groups:
        raise ValueError(f"unknown group {query.group!r}; expected one of: {', '.join(groups)}")
    matches = _matches(query.search) & jobs.c.id.not_in(_REMOVED)
    select = jobs.select().where(groups[query.group] & matches & _older(query.before))
    select = select.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(query.limit + 1)
    rows = connection.execute(select).mappings().all()
    page = [job_from_row(row) for row in rows[: query.limit]]
    has_more = len(rows) > query.limit
    tallies = [sa.func.coalesce(sa.func.sum(sa.case((group, 1), else_=0)), 0) for group in groups.values()]
    counts: Any = connection.execute(sa.select(*tallies).where(matches)).one()
    with_workflow_query = sa.select(shelved.c.job_id).where(
        shelved.c.workflow.is_not(None), shelved.c.job_id.in_([job.id for job in page])
    )
    with_workflow = frozenset(connection.execute(with_workflow_query).scalars())
    return JobPage(
        page, with_workflow, _cursor(page[-1]) if has_more else "", dict(zip(groups, map(int, counts), strict=True))
    )


def _groups(query: JobQuery) -> dict[str, sa.ColumnElement[bool]]:
    is_final = jobs.c.state.in_(_FINAL)
    is_old = (jobs.c.updated_at < query.unanswered_since) | (jobs.c.updated_at > query.latest)
    is_unanswered = (jobs.c.state == JobState.SUBMITTING.value) & is_old
    has_stopped = ~is_final & jobs.c.error_kind.is_not(None)
    return {
        "all": sa.true(),
        "open": ~is_final,
        "attention": is_unanswered | has_stopped,
        "done": jobs.c.state == JobState.SAVED.value,
        "failed": jobs.c.state == JobState.FAILED.value,
    }


def _matches(search: str) -> sa.ColumnElement[bool]:
    """True for jobs in which each of the first 8 words occurs in at least one text."""
    texts = (
        jobs.c.request["prompt"].as_string(),
        jobs.c.id,
        jobs.c.task_id,
        jobs.c.connection,
        jobs.c.model,
        jobs.c.error,
    )
    words = search.split()[:8]
    return sa.and_(sa.true(), *(sa.or_(*(text.icontains(word, autoescape=True) for text in texts)) for word in words))


def _older(before: str) -> sa.ColumnElement[bool]:
    if not before:
        return sa.true()
    moment, _, job_id = before.partition("~")
    at = float(moment)
    return (jobs.c.created_at < at) | ((jobs.c.created_at == at) & (jobs.c.id < job_id))


def _cursor(job: Job) -> str:
    return f"{job.created_at!r}~{job.id}"
