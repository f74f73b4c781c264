"""What nodes share that end with a clip: from widgets to a request, and from a result to outputs."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..grok_imagine.models import Blob, MediaInput, Mode, VideoRequest
from . import bridge, tensors
from .widgets import AUTO, value

if TYPE_CHECKING:
    from ..grok_imagine.jobs.session import Result, Session
    from ..grok_imagine.models import Job


def wish(
    *,
    model: str,
    prompt: str,
    seed: int,
    resolution: str = AUTO,
    aspect_ratio: str = AUTO,
    duration: int = 0,
    motion_mode: str = AUTO,
    mode: Mode | None = None,
    reference_images: tuple[MediaInput, ...] = (),
) -> VideoRequest:
    """The request that the widgets spell."""
    return VideoRequest(
        mode=mode,
        model=value(model),
        prompt=prompt,
        resolution=value(resolution),
        aspect_ratio=value(aspect_ratio),
        duration_seconds=duration or None,
        motion_mode=value(motion_mode),
        seed=seed,
        reference_images=reference_images,
    )


async def make(node_id: str | None, connection: str, request: VideoRequest, images: list[Any] | None = None) -> Result:
    """Make the clip of ``request``; ``images`` are IMAGE batches that go before the URLs that it already has."""
    pixels = [image for batch in images or () for image in tensors.to_pixels(batch)]

    async def work(progress: bridge.NodeProgress) -> Result:
        async with bridge.runtime().session() as session:
            complete = await _with_images(session, connection, request, pixels)
            # Two equal nodes of a graph are two clips; one node that runs again goes on with its own.
            return await session.generate(complete, connection, owner=node_id or "", progress=progress)

    return await bridge.run(node_id, work)


async def _with_images(session: Session, connection: str, request: VideoRequest, pixels: list[Any]) -> VideoRequest:
    """The request with its images encoded; encoding takes time, so all else is checked before."""
    if not pixels:
        return request

    def having(blobs: list[Blob]) -> VideoRequest:
        return request.model_copy(update={"reference_images": (*blobs, *request.reference_images)})

    session.check(having([Blob(b"", "image/png")] * len(pixels)), await session.connect(connection))
    return having(await session.publisher.images(pixels))


def outcome(result: Result) -> io.NodeOutput:
    """The outputs of every node that ends with a clip."""
    job = result.job
    info = json.dumps(describe(result), ensure_ascii=False, indent=2)
    return io.NodeOutput(bridge.video_from_file(result.file), job.id, job.task_id or "", job.result_url or "", info)


def describe(result: Result) -> dict[str, Any]:
    """What is known of the clip. It holds no key, and of a URL not its query, where signatures live."""
    job = result.job
    parameters = {name: each for name, each in job.request.items() if name not in ("prompt", "seed", "mode", "model")}
    if "reference_images" in parameters:
        parameters["reference_images"] = [_unsigned(name) for name in parameters["reference_images"]]
    if "source_video" in parameters:
        parameters["source_video"] = _unsigned(parameters["source_video"])
    return {
        "connection": job.connection,
        "dialect": job.provider,
        "model": job.model,
        "mode": job.mode,
        "prompt": job.request.get("prompt", ""),
        "parameters": parameters,
        "seed": job.request.get("seed"),
        "cost": _cost(job),
        "times": _times(job),
        "warnings": list(result.warnings),
        "file": str(result.file),
        "job_id": job.id,
        "task_id": job.task_id,
        "url": _unsigned(job.result_url or ""),
        "is_reused": result.is_reused,
    }


def _cost(job: Job) -> dict[str, Any] | None:
    from ..grok_imagine.jobs.walk import cost_of

    cost = cost_of(job)
    if cost is None:
        return None
    credits = None if cost.credits is None else float(cost.credits)
    return {"usd": float(cost.usd), "credits": credits, "is_estimate": cost.is_estimate}


def _times(job: Job) -> dict[str, str | float | None]:
    def spoken(moment: float | None) -> str | None:
        return None if not moment else datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="seconds")

    both = job.submitted_at and job.finished_at
    seconds = round(job.finished_at - job.submitted_at, 1) if both else None
    submitted, finished = spoken(job.submitted_at), spoken(job.finished_at)
    return {"created": spoken(job.created_at), "submitted": submitted, "finished": finished, "seconds": seconds}


def _unsigned(url: str) -> str:
    return url.split("?", 1)[0].split("#", 1)[0]
