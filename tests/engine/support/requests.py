"""Requests, jobs and pictures that tests start from."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image

from grok_imagine.models import Blob, Job, JobState, VideoRequest

DIALECTS = ("reapi", "aivideoapi", "apiinone", "openai_videos", "xai")


def make_picture(colour: tuple[int, int, int], size: tuple[int, int] = (320, 180)) -> Blob:
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, "PNG")
    return Blob(data.getvalue(), "image/png")


def connection_for(dialect: str) -> str:
    return "sandbox" if dialect == "reapi" else f"sandbox-{dialect}"


def clip_facts(path: Path) -> tuple[int, int, int, Fraction]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(stream))
        return frames, stream.width, stream.height, Fraction(stream.average_rate)


def request_for(dialect: str, **more: object) -> VideoRequest:
    """A short clip in the dialect's own limits."""
    fields: dict[str, object] = {"prompt": "a paper boat on a pond"}
    if dialect in ("openai_videos", "xai"):
        fields |= {"duration_seconds": 2, "resolution": "480p"}
    elif dialect != "apiinone":
        fields |= {"duration_seconds": 6, "resolution": "480p"}
    return VideoRequest(**{**fields, **more})


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
