"""A job as the page sees it: what to show of it, and what its user can do with it now."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...grok_imagine.models import JobState
from ...grok_imagine.redact import redact

if TYPE_CHECKING:
    from ...grok_imagine.models import Job

UNANSWERED_SECONDS = 100.0
"""After so long without an answer the outcome of a submit counts as unknown, as in the settings' default."""
_PROMPT_SHOWN = 240
_PARAMETERS = ("resolution", "aspect_ratio", "duration_seconds", "motion_mode", "seed")


def view(job: Job, home: Path, *, answer_seconds: float = UNANSWERED_SECONDS, whole: bool = False) -> dict[str, Any]:
    """The job as plain JSON: no key, no signed URL, no path. ``whole`` gives all of a long prompt and error."""
    from ...grok_imagine.jobs.pipeline.context import cost_of
    from ...grok_imagine.providers.registry import Providers

    prompt = str(job.request.get("prompt") or "")
    error = redact(job.error or "", limit=4000 if whole else _PROMPT_SHOWN)
    cost = cost_of(job)
    provider = Providers(home).get(job.provider)
    video = clip(job, home)
    is_unanswered = job.seconds_since_update(time.time()) > answer_seconds
    is_unknown = job.is_uncertain and (job.error_kind is not None or is_unanswered)
    return {
        "id": job.id,
        "state": job.state.value,
        "is_unknown": is_unknown,
        "connection": job.connection,
        "provider": provider.label if provider else job.provider,
        "is_free": job.connection.split("-")[0] == "sandbox",
        "model": job.model,
        "mode": job.mode,
        "prompt": prompt if whole else prompt[:_PROMPT_SHOWN],
        "parameters": {name: job.request[name] for name in _PARAMETERS if job.request.get(name) is not None},
        "references": len(job.request.get("reference_images") or ()),
        "task_id": job.task_id,
        "cost": None
        if cost is None
        else {
            "usd": float(cost.usd),
            "credits": None if cost.credits is None else float(cost.credits),
            "is_estimate": cost.is_estimate,
        },
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "submitted_at": job.submitted_at,
        "finished_at": job.finished_at,
        "error": error,
        "error_kind": job.error_kind,
        "has_file": video is not None,
        "actions": actions(job, has_file=video is not None, is_unknown=is_unknown),
    }


def actions(job: Job, *, has_file: bool, is_unknown: bool) -> list[str]:
    """What can be done, the most useful first."""
    offered: list[str] = []
    if has_file:
        offered += ["play", "frames"]
    if job.state is JobState.SUBMITTED:
        offered.append("resume")
    if job.state is JobState.SUCCEEDED or (job.state is JobState.SAVED and not has_file):
        offered.append("fetch")
    if job.state is JobState.FAILED and job.task_id:
        offered.append("ask")
    was_replaced = job.state is JobState.FAILED and job.task_id is None and job.error_kind == "SubmitUncertain"
    is_mistaken = job.state is JobState.SUBMITTED and job.error_kind == "TaskNotFound"
    if job.state is JobState.SUCCEEDED and job.error_kind == "ResultNotFetched":
        offered.append("attach_url")
    if is_unknown or was_replaced or is_mistaken:
        offered.append("attach")
    if is_unknown:
        offered.append("again")
    if job.state is JobState.SUBMITTED:
        offered.append("drop")
    if job.state.is_final or job.state is JobState.PREPARED:
        offered.append("remove")
    return offered


def clip(job: Job, home: Path) -> Path | None:
    """The job's own file in the folder of results; None where it is gone, or lies anywhere else."""
    if job.state is not JobState.SAVED or job.file is None:
        return None
    try:
        path = job.file.resolve()
        is_ours = path.is_relative_to((home / "results").resolve()) and path.is_file()
    except OSError:
        return None
    return path if is_ours else None
