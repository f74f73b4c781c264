"""Load Video Frames: a VIDEO, a file, a URL or a job as frames, sound and frame rate."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..grok_imagine.errors import RequestError
from . import bridge, tensors, widgets

if TYPE_CHECKING:
    from ..grok_imagine.media.clip import Clip

_JOB_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")


class GIVLoadVideoFrames(io.ComfyNode):
    """A video as frames, sound and frame rate."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return widgets.schema(
            node_id="GIVLoadVideoFrames",
            display_name="Load Video Frames",
            category=widgets.CATEGORY,
            description="Decodes a video into an IMAGE batch with its sound and frame rate, for the nodes that work on "
            "images. Connect a VIDEO, or name a file, a URL or a job. Free.",
            search_aliases=["video to images", "extract frames", "decode video", "get video components", "load video"],
            inputs=[
                io.Video.Input(
                    "video",
                    optional=True,
                    tooltip="The video to decode. All its frames are held in memory: 11 MB each at 720p. Free.",
                ),
                io.String.Input(
                    "source",
                    default="",
                    optional=True,
                    tooltip="Used while no video is connected: a file in ComfyUI's input, output or temp folder, a "
                    "public https URL (downloaded once, then kept), or the job_id of a clip made here. Free.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="images", tooltip="All frames, as one batch."),
                io.Audio.Output(display_name="audio", tooltip="The sound; empty for a silent video."),
                io.Float.Output(display_name="fps", tooltip="Frames per second."),
                io.Int.Output(display_name="frame_count", tooltip="How many frames there are."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls, source: str = "", **_others: Any) -> str:
        """What a file on the disk looked like, so that a new one under its name is read anew."""
        try:
            found = bridge.find_file(source.strip()).stat() if source and not _is_remote(source) else None
        except (RequestError, OSError, ValueError):
            found = None  # told when the node runs
        return f"{found.st_mtime_ns} {found.st_size}" if found else ""

    @classmethod
    async def execute(cls, video: Any = None, source: str = "") -> io.NodeOutput:
        """Decode the video."""
        source = (source or "").strip()
        if video is None and not source:
            raise RequestError(
                "There is nothing to load: connect a video, or give a file, a URL or a job id as source."
            )

        async def work(progress: bridge.NodeProgress) -> tuple[Any, Any, float]:
            if video is None:
                return await _decoded(await _file(source, progress), progress)
            path = await bridge.in_thread(lambda _stop: bridge.whole_file(video))
            if path is not None:
                return await _decoded(path, progress)
            parts = await bridge.in_thread(lambda _stop: video.get_components())
            return parts.images, parts.audio, float(parts.frame_rate)

        images, audio, fps = await bridge.run(cls.hidden.unique_id, work)
        return io.NodeOutput(images, audio, fps, int(images.shape[0]))


async def _decoded(path: Path, progress: bridge.NodeProgress) -> tuple[Any, Any, float]:
    from ..grok_imagine.media.decode import decode
    from ..grok_imagine.media.probe import probe

    def work(should_stop: Callable[[], bool]) -> Clip:
        progress.tell(f"Decoding: needs {probe(path).tensor_bytes / 1e9:.1f} GB of memory")
        return decode(path, on_progress=progress.frames, should_stop=should_stop, max_bytes=bridge.free_memory())

    clip = await bridge.in_thread(work)
    return tensors.to_image(clip.frames), tensors.to_audio(clip.audio), float(clip.rate)


async def _file(source: str, progress: bridge.NodeProgress) -> Path:
    """The file that ``source`` names, fetched where it is not on this machine yet."""
    if not _is_remote(source):
        return bridge.find_file(source)
    async with bridge.runtime().session() as session:
        if _JOB_ID.fullmatch(source):
            return (await session.resume(source, progress=progress)).file
        target = session.home / "cache" / f"{hashlib.sha256(source.encode()).hexdigest()[:32]}.mp4"
        if not target.is_file():
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            progress.tell("Downloading")
            await session.bring(source, target, on_bytes=lambda size, _total: progress.tell(_megabytes(size)))
        return target


def _megabytes(size: int) -> str:
    return f"Downloading: {size / 1e6:.1f} MB"


def _is_remote(source: str) -> bool:
    """Whether the text names a job or a URL. Any scheme counts: ``file://`` is refused as a URL, and is no path."""
    return bool(_JOB_ID.fullmatch(source.strip())) or "://" in source
