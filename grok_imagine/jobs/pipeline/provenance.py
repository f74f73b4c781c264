"""How a clip was made, as JSON: for the node's info output, the command line and the MP4's metadata."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

from ... import __version__
from ...errors import MediaError
from ...models import Job
from ...redact import redact
from ..connections import SANDBOX
from .context import JobContext, cost_of

MADE_WITH = f"comfyui-grok-imagine {__version__}"
_LONGEST = 100_000
"""Characters, more than any prompt may have: texts are redacted here, but not cut."""


def facts_of(job: Job) -> dict[str, Any]:
    """How the clip was made, as JSON, without keys and without URL queries, which may have signatures."""
    parameters = {name: value for name, value in job.request.items() if name not in ("prompt", "seed", "mode", "model")}
    return {
        "dialect": job.provider,
        "model": job.model,
        "mode": job.mode,
        "prompt": clean(job.request.get("prompt", "")),
        "seed": job.request.get("seed"),
        "parameters": clean(parameters),
        "cost": _cost(job),
        "times": _timestamps(job),
        "job_id": job.id,
        "task_id": job.task_id,
        "is_sandbox": job.connection in (SANDBOX, f"{SANDBOX}-{job.provider}"),
        "made_with": MADE_WITH,
    }


def clean(value: Any) -> Any:
    """``value`` without keys and signatures, and without the bytes of data URIs."""
    if isinstance(value, str):
        if value.startswith("data:"):
            return f"{value.split(',', 1)[0][:80]},… ({len(value)} characters)"
        if value.startswith(("https://", "http://")):
            value = value.split("?", 1)[0].split("#", 1)[0]
        return redact(value, limit=_LONGEST)
    if isinstance(value, Mapping):
        return {name: clean(item) for name, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in cast("list[Any]", value)]
    return value


async def write_provenance(job: Job, context: JobContext, file: Path) -> None:
    """Write the facts into the downloaded clip. If that fails, report it and leave the clip as it is."""
    facts = facts_of(job)
    try:
        await asyncio.to_thread(_stamp, file, facts)
    except MediaError as error:
        context.report(job, "downloading", note=f"the clip is saved without metadata: {error}")


def _stamp(file: Path, facts: dict[str, Any]) -> None:
    from ...media.mux.metadata import stamp  # loads PyAV

    stamp(file, facts, str(facts["prompt"]))


def _cost(job: Job) -> dict[str, Any] | None:
    cost = cost_of(job)
    if cost is None:
        return None
    credits = None if cost.credits is None else float(cost.credits)
    return {"usd": float(cost.usd), "credits": credits, "is_estimate": cost.is_estimate}


def _timestamps(job: Job) -> dict[str, str | float | None]:
    def iso(moment: float | None) -> str | None:
        return None if not moment else datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="seconds")

    seconds = round(job.finished_at - job.submitted_at, 1) if job.submitted_at and job.finished_at else None
    submitted, finished = iso(job.submitted_at), iso(job.finished_at)
    return {"created": iso(job.created_at), "submitted": submitted, "finished": finished, "seconds": seconds}
