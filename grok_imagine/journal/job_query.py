"""Looking through the journal: a page of jobs at a time, newest first, of one group, found by a word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ..models import Job, JobState
from .journal import job_of
from .schema import jobs, shelved

GROUPS = ("all", "open", "attention", "done", "failed")
"""What a list can be narrowed to; ``attention`` is what goes on only when its user does something."""
_REMOVED = sa.select(shelved.c.job_id).where(shelved.c.removed_at.is_not(None))
_FINAL = [state.value for state in JobState if state.is_final]


@dataclass(frozen=True)
class JobQuery:
    """What to look for. ``before`` is the ``next`` of the page before; ``unanswered_since`` is the moment before
    which a request that was sent counts as of unknown outcome."""

    group: str = "all"
    search: str = ""
    before: str = ""
    limit: int = 100
    unanswered_since: float = 0.0


@dataclass(frozen=True)
class JobPage:
    """Some jobs; ``next`` continues after them, and is empty at the end. ``counts`` has every group's number of jobs
    that fit the search, ``with_workflow`` the ids of those whose workflow is kept."""

    jobs: list[Job]
    with_workflow: frozenset[str]
    next: str
    counts: Mapping[str, int]


def query_jobs(connection: sa.Connection, wanted: JobQuery) -> JobPage:
    """The page that is wanted. Raises ValueError for a group or a ``before`` that does not exist.

    The next page begins by the time and id of the last job and not by its number in the list, so jobs that are
    made meanwhile neither hide nor double one.
    """
    groups = _groups(wanted.unanswered_since)
    if wanted.group not in groups:
        raise ValueError(f"there is no group {wanted.group!r}; choose {', '.join(groups)}")
    found = _matches(wanted.search) & jobs.c.id.not_in(_REMOVED)
    query = jobs.select().where(groups[wanted.group] & found & _older(wanted.before))
    query = query.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(wanted.limit + 1)
    rows = connection.execute(query).mappings().all()
    page = [job_of(row) for row in rows[: wanted.limit]]
    has_more = len(rows) > wanted.limit
    tallies = [sa.func.coalesce(sa.func.sum(sa.case((group, 1), else_=0)), 0) for group in groups.values()]
    numbers: Any = connection.execute(sa.select(*tallies).where(found)).one()
    kept = sa.select(shelved.c.job_id).where(
        shelved.c.workflow.is_not(None), shelved.c.job_id.in_([one.id for one in page])
    )
    with_workflow = frozenset(connection.execute(kept).scalars())
    return JobPage(
        page, with_workflow, _cursor(page[-1]) if has_more else "", dict(zip(groups, map(int, numbers), strict=True))
    )


def _groups(unanswered_since: float) -> dict[str, sa.ColumnElement[bool]]:
    is_final = jobs.c.state.in_(_FINAL)
    lost = (jobs.c.state == JobState.SUBMITTING.value) & (jobs.c.updated_at < unanswered_since)
    has_stopped = ~is_final & jobs.c.error_kind.is_not(None)
    return {
        "all": sa.true(),
        "open": ~is_final,
        "attention": lost | has_stopped,
        "done": jobs.c.state == JobState.SAVED.value,
        "failed": jobs.c.state == JobState.FAILED.value,
    }


def _matches(search: str) -> sa.ColumnElement[bool]:
    """Every word must be found in one of the job's texts."""
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
