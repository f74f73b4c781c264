"""Making one clip: from widgets to a request, and from a result to outputs."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ...grok_imagine.errors import ContentRejected
from ...grok_imagine.models import Blob, MediaInput, Mode, VideoRequest
from ..host import execution, files, node_events, tensors
from .inputs import AUTO, PLACEHOLDER, value

if TYPE_CHECKING:
    from ...grok_imagine.jobs.session import Result, Session
    from ..host.progress import NodeProgress


def build_request(
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
    """The request for the values of the widgets."""
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


def workflow(hidden: Any) -> bytes | None:
    """The workflow to store with a node's job: the page's own format, else the queued prompt."""
    extra: dict[str, Any] = getattr(hidden, "extra_pnginfo", None) or {}
    graph = extra.get("workflow")
    prompt = getattr(hidden, "prompt", None)
    kept = {"workflow": graph} if graph else {"prompt": prompt} if prompt else None
    return json.dumps(kept, separators=(",", ":"), ensure_ascii=False, default=str).encode() if kept else None


async def generate(
    hidden: Any,
    connection: str,
    request: VideoRequest,
    images: list[Any] | None = None,
    fallbacks: str = "",
) -> Result:
    """Make the clip of ``request``; ``images`` are IMAGE batches that go before the URLs that it already has.

    ``fallbacks`` names the connections that are tried after ``connection``, with commas or lines between;
    ``hidden`` holds the node's hidden inputs.
    """
    node_id, kept = hidden.unique_id, workflow(hidden)
    names = [connection, *re.split(r"[,\s]+", (fallbacks or "").strip())]
    names = [name for name in names if name]
    pixels = [image for batch in images or () for image in tensors.to_pixels(batch)]

    async def work(progress: NodeProgress) -> Result:
        from ...grok_imagine.jobs.failover import generate_with_failover

        async with execution.runtime().session() as session:
            complete = await _with_images(session, names, request, pixels)
            return await generate_with_failover(
                session, complete, names, owner=node_id or "", progress=progress, workflow=kept
            )

    return await execution.run(node_id, work)


async def _with_images(session: Session, names: list[str], request: VideoRequest, pixels: list[Any]) -> VideoRequest:
    """The request with its images encoded. Encoding takes time, so everything else is checked first."""
    if not pixels:
        return request

    def request_with(blobs: list[Blob]) -> VideoRequest:
        return request.model_copy(update={"reference_images": (*blobs, *request.reference_images)})

    if len(names) == 1:
        session.check(request_with([Blob(b"", "image/png")] * len(pixels)), await session.connect(names[0]))
    return request_with(await session.publisher.images(pixels))


async def outputs_or_placeholder(making: Awaitable[Result], request: VideoRequest, on_rejected: str) -> io.NodeOutput:
    """The outputs of the clip; a placeholder if moderation refuses it and ``on_rejected`` asks for one."""
    try:
        return job_outputs(await making)
    except ContentRejected as error:
        if on_rejected != PLACEHOLDER:
            raise
        from ...grok_imagine.media.images.placeholder import placeholder

        words = "No clip: moderation refused it."
        sizes = {"ratio": request.aspect_ratio, "resolution": request.resolution}
        seconds = request.duration_seconds or 1
        folder = execution.runtime().home / "placeholders"
        file = await asyncio.to_thread(placeholder, folder, words, **sizes, seconds=seconds)
        facts = {"is_placeholder": True, "outcome": "rejected by moderation", "error": str(error), "file": str(file)}
        info = json.dumps({**facts, "job_id": error.job_id, "task_id": error.task_id}, ensure_ascii=False, indent=2)
        return io.NodeOutput(files.video_from_file(file), error.job_id, error.task_id or "", "", info)


def job_outputs(result: Result) -> io.NodeOutput:
    """The outputs of every node that ends with a clip."""
    job = result.job
    info = json.dumps(describe(result), ensure_ascii=False, indent=2)
    values = (files.video_from_file(result.file), job.id, job.task_id or "", job.result_url or "", info)
    return io.NodeOutput(*values, ui={node_events.UI: [node_events.card(result)]})


def describe(result: Result) -> dict[str, Any]:
    """Facts about the clip, without keys and without the query of a URL, which may hold a signature."""
    from ...grok_imagine.jobs.pipeline.provenance import clean, facts_of

    job = result.job
    return {
        "connection": job.connection,
        **facts_of(job),
        "warnings": list(result.warnings),
        "file": str(result.file),
        "url": clean(job.result_url or ""),
        "is_reused": result.is_reused,
    }
