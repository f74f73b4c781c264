"""Load Video Frames: a VIDEO, a file, a URL or a job as frames, sound and frame rate."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..grok_imagine.errors import RequestError
from .common import frame_inputs, inputs
from .host import execution, files, tensors

if TYPE_CHECKING:
    from ..grok_imagine.media.clip import Clip
    from ..grok_imagine.media.frames.plan import Plan
    from ..grok_imagine.media.frames.resize import Resize
    from ..grok_imagine.media.frames.selection import FrameSelection
    from .host.progress import NodeProgress

_JOB_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")


class GIVLoadVideoFrames(io.ComfyNode):
    """A video as frames, sound and frame rate."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return inputs.schema(
            node_id="GIVLoadVideoFrames",
            display_name="Load Video Frames",
            description="Decodes a video into an IMAGE batch with its audio and frame rate. Connect a VIDEO, or enter "
            "a file, a URL or a job ID. Loads a part, every nth frame or a smaller size without decoding the rest, "
            "and shows how much memory it needs first. Free.",
            search_aliases=[
                "video to images",
                "extract frames",
                "decode video",
                "get video components",
                "load video",
                "last frame",
            ],
            inputs=[
                io.Video.Input(
                    "video",
                    optional=True,
                    tooltip="The video to decode. All frames are in memory: 11 MB each at 720p. Free.",
                ),
                io.String.Input(
                    "source",
                    default="",
                    optional=True,
                    tooltip="Used if no video is connected: a file in ComfyUI's input, output or temp folder, a "
                    "public https URL (downloaded once), or a job ID. Free.",
                ),
                *frame_inputs.which_frames(),
                *frame_inputs.what_size(),
            ],
            outputs=[
                io.Image.Output(display_name="images", tooltip="The selected frames, as one batch."),
                io.Audio.Output(display_name="audio", tooltip="The audio of the same part. Empty for a silent video."),
                io.Float.Output(display_name="fps", tooltip="Frames per second of this batch."),
                io.Int.Output(display_name="frame_count", tooltip="Number of frames."),
                io.Image.Output(display_name="first_frame", tooltip="The first of these frames."),
                io.Image.Output(
                    display_name="last_frame", tooltip="The last of these frames, to continue a clip from."
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls, source: str = "", **_others: Any) -> str:
        """Changes when the file changes, so that a new file of the same name is loaded."""
        try:
            found = files.find_file(source.strip()).stat() if source and not _is_remote(source) else None
        except (RequestError, OSError, ValueError):
            found = None  # reported when the node runs
        return f"{found.st_mtime_ns} {found.st_size}" if found else ""

    @classmethod
    async def execute(cls, video: Any = None, source: str = "", **options: Any) -> io.NodeOutput:
        """Decode the video."""
        source = (source or "").strip()
        if video is None and not source:
            raise RequestError("Nothing to load: connect a video, or enter a file, a URL or a job ID as source.")
        wanted = _Wanted(frame_inputs.window(options), frame_inputs.resize(options))

        async def work(progress: NodeProgress) -> tuple[Any, Any, float]:
            if video is None:
                return await _decoded(await _file(source, progress), wanted, progress)
            path = await execution.in_thread(lambda _stop: files.whole_file(video))
            if path is not None:
                return await _decoded(path, wanted, progress)
            return await execution.in_thread(lambda _stop: _components(video, wanted))

        images, audio, fps = await execution.run(cls.hidden.unique_id, work)
        # Copies: a view would keep the whole batch in memory for one frame.
        return io.NodeOutput(images, audio, fps, int(images.shape[0]), images[:1].clone(), images[-1:].clone())


@dataclass(frozen=True)
class _Wanted:
    """Which frames, and how large."""

    window: FrameSelection
    resize: Resize


async def _decoded(path: Path, wanted: _Wanted, progress: NodeProgress) -> tuple[Any, Any, float]:
    from ..grok_imagine.media.frames.decode import decode

    def work(should_stop: Callable[[], bool]) -> Clip:
        size = ""

        def show_plan(plan: Plan) -> None:
            nonlocal size
            size = f" of {plan.width} × {plan.height}, {plan.memory}"
            progress.report(f"Decoding {plan}", is_news=True)

        def frames(done: int, total: int) -> None:
            progress.frames(done, total, size)

        return decode(
            path,
            window=wanted.window,
            resize=wanted.resize,
            on_plan=show_plan,
            on_progress=frames,
            should_stop=should_stop,
            max_bytes=files.free_memory(),
        )

    clip = await execution.in_thread(work)
    if clip.missing:
        progress.report(
            f"Warning: {clip.missing} frames are missing. {path.name} is cut short or damaged.", is_news=True
        )
    return tensors.to_image(clip.frames), tensors.to_audio(clip.audio), float(clip.rate)


def _components(video: Any, wanted: _Wanted) -> tuple[Any, Any, float]:
    """Of a VIDEO that is no whole file: trimmed, cropped, or made by another node and in memory already."""
    from ..grok_imagine.media.frames.selection import moments

    parts = video.get_components()
    rate = Fraction(parts.frame_rate)
    choice = wanted.window.choose(*moments(int(parts.images.shape[0]), rate), rate)
    images = tensors.pick(parts.images, choice.positions, wanted.resize)
    return images, tensors.cut(parts.audio, choice.start, choice.duration, wanted.window.is_whole), float(choice.rate)


async def _file(source: str, progress: NodeProgress) -> Path:
    """The file that ``source`` names, fetched where it is not on this machine yet."""
    if not _is_remote(source):
        path = files.find_file(source)
        await _check_user(path)
        return path
    async with execution.runtime().session() as session:
        if _JOB_ID.fullmatch(source):
            return (await session.resume(source, progress=progress)).file
        target = session.home / "cache" / f"{hashlib.sha256(source.encode()).hexdigest()[:32]}.mp4"
        if not target.is_file():
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            progress.report("Downloading")
            await session.download_url(source, target, on_bytes=lambda size, _total: progress.report(_megabytes(size)))
        return target


def _megabytes(size: int) -> str:
    return f"Downloading: {size / 1e6:.1f} MB"


async def _check_user(path: Path) -> None:
    """Raises RequestError for the clip of another user's job."""
    job_id = await asyncio.to_thread(_job_of, path)
    if job_id is None:
        return
    async with execution.runtime().session() as session:
        if await session.is_of_others(job_id):
            raise RequestError(f"There is no file {path.name!r} of yours. Nothing was loaded.")


def _job_of(path: Path) -> str | None:
    """The job whose clip lies there; None for any other file."""
    real = path.resolve()
    is_result = real.parent == (execution.runtime().home / "results").resolve()
    return real.stem if is_result and _JOB_ID.fullmatch(real.stem) else None


def _is_remote(source: str) -> bool:
    """Whether the text names a job or a URL. Any scheme counts: ``file://`` is refused as a URL, and is no path."""
    return bool(_JOB_ID.fullmatch(source.strip())) or "://" in source
