"""A job for the journal."""

from __future__ import annotations

from grok_imagine.models import Job, JobState


def a_job(job_id: str = "j1", **more: object) -> Job:
    fields: dict[str, object] = {
        "id": job_id,
        "state": JobState.PREPARED,
        "connection": "sandbox",
        "provider": "reapi",
        "model": "grok-imagine-1.0-video",
        "mode": "text_to_video",
        "request": {"prompt": "löwe 🦁"},
        "fingerprint": "f" * 64,
    }
    return Job(**{**fields, **more})  # type: ignore[arg-type]
