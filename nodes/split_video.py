"""Split Video into Chunks: loads a long video one chunk at a time, so that only one chunk is in memory.

The graph runs once for each chunk; Join Video Chunks queues the next run. A list or a loop within one run would be
simpler to use, but ComfyUI keeps every output of a run until it ends, which is all chunks at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from .common import inputs
from .common.chunk_ref import CHUNK, ChunkRef
from .host import execution, files, tensors

if TYPE_CHECKING:
    from .host.progress import NodeProgress


class GIVSplitVideo(io.ComfyNode):
    """Loads one chunk of a video as frames."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return inputs.schema(
            node_id="GIVSplitVideo",
            display_name="Split Video into Chunks",
            description="Loads one chunk of a video as frames, for upscalers and interpolators that can't hold the "
            "whole video. Join Video Chunks runs the graph again for each further chunk. Free.",
            search_aliases=["chunked video", "long video", "upscale video", "batch frames", "meta batch"],
            inputs=[
                io.Video.Input("video", tooltip="A video file. Only one chunk is in memory at a time. Free."),
                io.Int.Input(
                    "chunk_frames", default=48, min=1, max=100_000, tooltip="Frames per chunk. Fewer use less memory."
                ),
                io.Int.Input(
                    "overlap",
                    default=0,
                    min=0,
                    max=1000,
                    tooltip="Frames of the previous chunk to load again: 1 for interpolators, more for models that "
                    "use neighboring frames. Join Video Chunks drops them.",
                ),
                io.Int.Input(
                    "chunk",
                    default=0,
                    min=0,
                    max=1_000_000,
                    tooltip="The first chunk to process, from 0. The rest follow automatically.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="images", tooltip="The frames of this chunk."),
                CHUNK.Output(display_name="chunk", tooltip="Connect to Join Video Chunks."),
                io.Float.Output(display_name="fps", tooltip="Frames per second of the video."),
                io.Int.Output(display_name="chunk_count", tooltip="Number of chunks."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    async def execute(cls, video: Any, chunk_frames: int, overlap: int, chunk: int) -> io.NodeOutput:
        """Decode one chunk."""
        split_id = cls.hidden.unique_id

        async def work(progress: NodeProgress) -> tuple[Any, ChunkRef]:
            return await execution.in_thread(
                lambda stop: _load(video, chunk_frames, overlap, chunk, split_id, progress, stop)
            )

        images, ref = await execution.run(split_id, work)
        return io.NodeOutput(images, ref, float(ref.rate), ref.chunk.count)


def _load(
    video: Any, size: int, overlap: int, index: int, split_id: str, progress: NodeProgress, stop: Any
) -> tuple[Any, ChunkRef]:
    from ..grok_imagine.media.frames.decode import decode
    from ..grok_imagine.media.frames.index import index_of_file
    from ..grok_imagine.media.mux.chunks import chunk

    path = files.whole_file(video) or files.cut_file(video, execution.runtime().home / "chunks" / "sources")
    frames = index_of_file(path, stop)
    part = chunk(index, len(frames.times), size, overlap)
    clip = decode(
        path,
        window=part.window,
        on_plan=lambda plan: progress.report(f"Chunk {index + 1} of {part.count}: {plan}", is_news=True),
        should_stop=stop,
        max_bytes=files.free_memory(),
    )
    return tensors.to_image(clip.frames), ChunkRef(part, path, frames.rate, size, split_id)
