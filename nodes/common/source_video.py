"""The source video of a node: its inputs, and making a clip from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ...grok_imagine.errors import RequestError
from ...grok_imagine.models import VideoRequest
from ..host import execution, files
from . import generate

if TYPE_CHECKING:
    from ...grok_imagine.jobs.session import Result
    from ..host.progress import NodeProgress


def inputs(limits: str) -> list[Any]:
    """The source, as a VIDEO or as a URL. ``limits`` says how long it may be."""
    return [
        io.Video.Input(
            "video",
            optional=True,
            tooltip=f"The source video. {limits} Its length is checked before upload, and its metadata is removed. "
            f"Some providers also charge for its seconds.",
        ),
        io.String.Input(
            "video_url",
            default="",
            optional=True,
            dynamic_prompts=False,
            placeholder="https://… public video URL",
            tooltip="A public video URL, such as the url output of another node. Needs no upload. If a video is "
            "connected too, this URL is sent and the video is only measured.",
        ),
    ]


async def generate_from_video(
    hidden: Any, connection: str, request: VideoRequest, video: Any, video_url: str
) -> Result:
    """Make the clip of ``request`` from its source."""
    url = (video_url or "").strip() or None
    if video is None and url is None:
        raise RequestError("Connect a video or enter its URL. Nothing was sent or charged.")
    node_id = hidden.unique_id
    kept = generate.workflow(hidden)
    source_request = request.model_copy(update={"source_video": url})

    async def work(progress: NodeProgress) -> Result:
        from ...grok_imagine.jobs.source_video import with_source

        async with execution.runtime().session() as session:
            complete = source_request
            if video is not None:
                progress.report("Measuring the source")
                async with files.file_of(video) as (path, should_stop):
                    complete = await with_source(session, connection, source_request, path, should_stop=should_stop)
            return await session.generate(complete, connection, owner=node_id or "", progress=progress, workflow=kept)

    return await execution.run(node_id, work)
