"""An image or a video to a public URL, for graphs that use one more than once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..grok_imagine.errors import RequestError
from .common import inputs
from .host import execution, files, tensors

if TYPE_CHECKING:
    from .host.progress import NodeProgress


class GIVUploadMedia(inputs.ConnectionCheck, io.ComfyNode):
    """An image or a video to a public URL."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return inputs.schema(
            node_id="GIVUploadMedia",
            display_name="Grok Imagine: Upload Media",
            description="Uploads images or a video to your own store and returns their URLs, for image_urls or any "
            "other use. The same content is uploaded once while its URL is valid.",
            search_aliases=["grok", "upload", "image to url", "public url", "s3", "bucket"],
            inputs=[
                inputs.connection(" Only decides which store is used."),
                io.Image.Input("image", optional=True, tooltip="An image or a batch; one URL per image. Free."),
                io.Video.Input("video", optional=True, tooltip="A video, uploaded as an MP4 of at most 50 MB. Free."),
            ],
            outputs=[
                io.String.Output(display_name="urls", tooltip="The URLs, one per line: images first, then the video."),
                io.String.Output(display_name="first_url", tooltip="The first URL."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    async def execute(cls, connection: str, image: Any = None, video: Any = None) -> io.NodeOutput:
        """Upload what is connected. Raises RequestError where nothing is, StorageError where it cannot be stored."""
        if image is None and video is None:
            raise RequestError("Connect an image or a video to upload.")
        pixels = [] if image is None else tensors.to_pixels(image)

        async def work(progress: NodeProgress) -> list[str]:
            async with execution.runtime().session() as session:
                progress.report("Uploading")
                blobs = await session.publisher.images(pixels)
                if video is not None:
                    blobs.append(await execution.in_thread(lambda stop: files.source_video(video, stop).blob))
                return await session.upload(blobs, connection=connection)

        urls = await execution.run(cls.hidden.unique_id, work)
        return io.NodeOutput("\n".join(urls), urls[0])
