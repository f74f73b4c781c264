"""The events that a node's status in the page shows: the steps of its job, its result, or its error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...grok_imagine.redact import redact

if TYPE_CHECKING:
    from ...grok_imagine.jobs.progress import ProgressUpdate
    from ...grok_imagine.jobs.session import Result
    from ...grok_imagine.models import Cost, Job

EVENT = "grok_imagine.node"
UI = "grok_imagine"
"""The entry of a node's ui output that holds its finished jobs. ComfyUI keeps it with the prompt's history."""


def step(update: ProgressUpdate) -> dict[str, Any]:
    """A job on its way. ``percent`` is the provider's own, ``elapsed`` the seconds of this run."""
    note = redact(update.note, limit=500) if update.note else ""
    return {**_job(update.job), "step": update.step, "percent": update.percent, "elapsed": update.elapsed, "note": note}


def card(result: Result) -> dict[str, Any]:
    """A finished job. No URL and no path: the page asks for the clip by the job's id."""
    return {**_job(result.job), "step": "saved", "is_reused": result.is_reused, "warnings": list(result.warnings)}


def failure(error: BaseException) -> dict[str, Any]:
    """The error that ended the run: its class, its text, and the job and task it names."""
    event = {"step": "failed", "kind": type(error).__name__, "message": redact(str(error), limit=4000)}
    for name, key in (("job_id", "job"), ("task_id", "task")):
        if found := getattr(error, name, None):
            event[key] = found
    return event


def _job(job: Job) -> dict[str, Any]:
    from ...grok_imagine.jobs.pipeline.context import cost_of

    times = {"submitted_at": job.submitted_at, "finished_at": job.finished_at}
    event = {"job": job.id, "task": job.task_id, "connection": job.connection, "model": job.model, "mode": job.mode}
    return {**event, **times, "cost": _cost(cost_of(job))}


def _cost(cost: Cost | None) -> dict[str, Any] | None:
    if cost is None:
        return None
    credits = None if cost.credits is None else f"{cost.credits:f}"
    return {"usd": f"{cost.usd:f}", "credits": credits, "is_estimate": cost.is_estimate}
