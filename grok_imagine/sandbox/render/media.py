"""The media a clip is made from: pictures and source videos, checked and opened, and the clip's size and length."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import av
import numpy as np
from av.error import FFmpegError
from PIL import Image, ImageOps

from ..model import Job
from .frames import FPS, SAMPLE_RATE, Floats, Planes, even, frame_size, from_frame, size_like


class UnusableMediaError(Exception):
    """A picture or video that no clip can be made from; the text is shown to the caller."""


class RenderResult(NamedTuple):
    """What the clip is, or will be: its width and height, and how many frames it has."""

    size: tuple[int, int]
    frames: int


class Media:
    """The opened media of one clip, and what they make of its size and length; nothing is rendered yet."""

    def __init__(self, job: Job, files: list[bytes]) -> None:
        """Raises UnusableMediaError."""
        self.video = SourceVideo(files[0]) if job.mode in ("edit", "extend") else None
        self.pictures = [] if self.video else [_open_picture(data) for data in files]
        frames = 0 if job.mode == "edit" else job.seconds * FPS
        if self.video:
            (low, high), seconds = job.source_limit, self.video.seconds
            if not low - 0.05 <= seconds <= high + 0.05:
                raise UnusableMediaError(f"the source video lasts {seconds:.1f} s; {low:g} to {high:g} s are taken")
            self.result = RenderResult(self.video.size, self.video.frames + frames)
        elif self.pictures and not job.ratio:
            self.result = RenderResult(size_like(job.tier, *self.pictures[0].size), frames)
        else:
            self.result = RenderResult(frame_size(job.tier, job.ratio or "16:9"), frames)


def _open_picture(data: bytes) -> Image.Image:
    """Decode, turn upright as the camera noted, and lay transparent pictures on a neutral ground."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # far larger than any frame
            picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")))
        ground = Image.new("RGBA", picture.size, (28, 30, 36, 255))
        return Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB")
    except Exception as error:
        raise UnusableMediaError(f"an image cannot be decoded: {type(error).__name__}") from None


class SourceVideo:
    """A source video: opened once for its facts, then read for its pictures and again for its sound."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        try:
            with self._open() as container:
                stream = container.streams.video[0]
                self.seconds = float(stream.duration * stream.time_base)
                # The decoder is dropped after one frame. Threads that log then would wait for the GIL for ever.
                stream.codec_context.thread_count = 1
                first = next(container.decode(stream))
        except (FFmpegError, ValueError, IndexError, TypeError, StopIteration) as error:
            raise UnusableMediaError(f"the video cannot be read: {type(error).__name__}") from None
        self.frames = max(round(self.seconds * FPS), 1)
        sides = first.width, first.height
        share = min(1.0, 1920 / max(sides), 1080 / min(sides))
        self.size = max(even(sides[0] * share), 16), max(even(sides[1] * share), 16)

    def _open(self) -> Any:
        return av.open(io.BytesIO(self._data), format="mp4")

    def read(self) -> Iterator[Planes]:
        """Exactly `frames` at 24 a second; a moment between two source frames shows the earlier one."""
        made, start, current = 0, 0.0, None
        with self._open() as container:
            for frame in container.decode(video=0):
                start = frame.time if current is None else start
                while current and made < self.frames and made / FPS < frame.time - start - 1e-4:
                    yield current
                    made += 1
                current = from_frame(frame, self.size)
        if current:
            yield from [current] * (self.frames - made)

    def sound(self, samples: int) -> Floats:
        """Stereo at 48 kHz, cut or filled with silence to `samples`. A broken sound track ends early."""
        pieces: list[Any] = []
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE)
        try:
            with self._open() as container:
                for frame in container.decode(container.streams.audio[0]) if container.streams.audio else ():
                    pieces += [piece.to_ndarray() for piece in resampler.resample(frame)]
        except FFmpegError:
            pass  # the pictures are still good
        return np.concatenate([*pieces, np.zeros((2, samples), np.float32)], axis=1)[:, :samples]
