"""Lists jobs by page, newest first, filtered by group and search words; and which users see which jobs.

Where a host has several users, equal requests share one job, which then belongs to each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ..models import Job, JobState
from .job_rows import job_from_row
from .schema import job_users, jobs, shelved

GROUPS = ("all", "open", "attention", "done", "failed")
"""The filters of the list. ``attention`` has the jobs that continue only if the user acts."""
_REMOVED = sa.select(shelved.c.job_id).where(shelved.c.removed_at.is_not(None))
_FINAL = [state.value for state in JobState if state.is_final]


@dataclass(frozen=True)
class JobQuery:
    """A filter for jobs. ``before`` is the ``next`` of the previous page. A request that was sent before
    ``unanswered_since`` (Unix seconds) and has no answer counts as of unknown outcome; so does one of after
    ``latest``, from before the clock was set back. ``user`` and ``sees_unowned`` as in :func:`is_visible`."""

    group: str = "all"
    search: str = ""
    before: str = ""
    limit: int = 100
    unanswered_since: float = 0.0
    latest: float = float("inf")
    user: str = ""
    sees_unowned: bool = True


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
    matches &= is_visible(query.user, sees_unowned=query.sees_unowned)
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


def is_listed(connection: sa.Connection, job_id: str, *, user: str, sees_unowned: bool) -> bool:
    """Whether the job is there, not removed from the list, and one that ``user`` sees."""
    where = (jobs.c.id == job_id) & jobs.c.id.not_in(_REMOVED) & is_visible(user, sees_unowned=sees_unowned)
    return connection.execute(sa.select(jobs.c.id).where(where)).first() is not None


def add_user(connection: sa.Connection, job_id: str, user: str) -> None:
    """Let ``user`` see the job. Without a user it belongs to nobody, and nothing is stored."""
    row = {"job_id": job_id, "user": user}
    if user and connection.execute(_row(job_id, user)).first() is None:
        connection.execute(job_users.insert().values(row))


def is_of_others(connection: sa.Connection, job_id: str, user: str) -> bool:
    """Whether the job belongs to users, and ``user`` is none of them. Without a user nothing is another's."""
    users = connection.execute(sa.select(job_users.c.user).where(job_users.c.job_id == job_id)).scalars().all()
    return bool(user and users) and user not in users


def copy_users(connection: sa.Connection, job_id: str, to: str) -> None:
    """Let everybody who sees one job see another, which takes its place."""
    for user in connection.execute(sa.select(job_users.c.user).where(job_users.c.job_id == job_id)).scalars().all():
        add_user(connection, to, user)


def remove_user(connection: sa.Connection, job_id: str, user: str) -> bool:
    """Hide the job from ``user``. False if nobody else is left who sees it; then nothing is changed."""
    others = sa.select(job_users.c.user).where((job_users.c.job_id == job_id) & (job_users.c.user != user))
    if not user or connection.execute(others).first() is None:
        return False
    connection.execute(job_users.delete().where((job_users.c.job_id == job_id) & (job_users.c.user == user)))
    return True


def is_visible(user: str, *, sees_unowned: bool) -> sa.ColumnElement[bool]:
    """The jobs that ``user`` sees: without a user all, else their own and, if asked for, those of nobody."""
    if not user:
        return sa.true()
    own = jobs.c.id.in_(sa.select(job_users.c.job_id).where(job_users.c.user == user))
    return own | jobs.c.id.not_in(sa.select(job_users.c.job_id)) if sees_unowned else own


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


def _row(job_id: str, user: str) -> sa.Select[tuple[str]]:
    return sa.select(job_users.c.user).where((job_users.c.job_id == job_id) & (job_users.c.user == user))
