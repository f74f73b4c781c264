"""What to render, and the media it is made from: pictures and source videos, checked and opened."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import av
import numpy as np
from av.error import FFmpegError
from PIL import Image, ImageOps

from .planes import Floats, Planes, from_frame
from .sizes import FPS, SAMPLE_RATE, frame_size, ratio_name, size_like

_LARGEST = 64_000_000  # pixels; a larger picture is refused before it is unpacked
_LONG_SIDE, _SHORT_SIDE = 1920, 1080


class UnusableMediaError(Exception):
    """A picture or video that no clip can be made from; the text is shown to the caller."""


@dataclass(frozen=True, slots=True)
class RenderSpec:
    """What to render."""

    mode: Literal["text", "image", "reference", "edit", "extend"]
    prompt: str
    seconds: int
    tier: str
    ratio: str
    source_limit: tuple[float, float] = (0.0, 60.0)


@dataclass(frozen=True, slots=True)
class RenderResult:
    """What the clip is, or will be."""

    width: int
    height: int
    frames: int

    @property
    def seconds(self) -> float:
        return self.frames / FPS

    @property
    def ratio(self) -> str:
        return ratio_name(self.width, self.height)


class Media:
    """The opened media of one clip, and what they make of its size and length; nothing is rendered yet."""

    def __init__(self, spec: RenderSpec, files: list[bytes]) -> None:
        """Raises UnusableMediaError."""
        self.video: SourceVideo | None = None
        self.pictures: list[Image.Image] = []
        frames = spec.seconds * FPS
        if spec.mode in ("edit", "extend"):
            self.video = video = SourceVideo(files[0])
            low, high = spec.source_limit
            if not low - 0.05 <= video.seconds <= high + 0.05:
                length = f"the source video lasts {video.seconds:.1f} s"
                raise UnusableMediaError(f"{length}; {low:g} to {high:g} s are taken")
            size, frames = video.size, video.frames + (frames if spec.mode == "extend" else 0)
        else:
            self.pictures = [_open_picture(data) for data in files]
            follows = bool(self.pictures) and not spec.ratio
            size = frame_size(spec.tier, spec.ratio or "16:9")
            size = size_like(spec.tier, *self.pictures[0].size) if follows else size
        self.result = RenderResult(*size, frames)


def _open_picture(data: bytes) -> Image.Image:
    """Decode, turn upright as the camera noted, and lay transparent pictures on a neutral ground."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP"))
        if picture.width * picture.height > _LARGEST:
            raise UnusableMediaError(f"an image of {picture.width}x{picture.height} is too large")
        picture = ImageOps.exif_transpose(picture).convert("RGBA")
    except UnusableMediaError:
        raise
    except Exception as error:
        raise UnusableMediaError(f"an image cannot be decoded: {type(error).__name__}") from None
    return Image.alpha_composite(Image.new("RGBA", picture.size, (28, 30, 36, 255)), picture).convert("RGB")


class SourceVideo:
    """A source video: opened once for its facts, then read for its pictures and again for its sound."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        try:
            with self._open() as container:
                stream = container.streams.video[0]
                seconds = stream.duration * stream.time_base if stream.duration else (container.duration or 0) / 1e6
                first = next(container.decode(stream))
        except (FFmpegError, ValueError, IndexError, StopIteration) as error:
            raise UnusableMediaError(f"the video cannot be read: {type(error).__name__}") from None
        if seconds <= 0:
            raise UnusableMediaError("the video does not say how long it is")
        self.seconds, self.frames = float(seconds), max(round(seconds * FPS), 1)
        # Its own size, even, and no larger than 1080p.
        sides = first.width, first.height
        share = min(1.0, _LONG_SIDE / max(sides), _SHORT_SIDE / min(sides))
        self.size = max(round(sides[0] * share / 2) * 2, 16), max(round(sides[1] * share / 2) * 2, 16)

    def _open(self) -> Any:
        return av.open(io.BytesIO(self._data), format="mp4")

    def read(self) -> Iterator[Planes]:
        """Exactly `frames` at 24 a second; a moment between two source frames shows the earlier one."""
        made, start, current = 0, 0.0, None
        with self._open() as container:
            for frame in container.decode(video=0):
                start = frame.time if current is None else start
                while current is not None and made < self.frames and made / FPS < frame.time - start - 1e-4:
                    yield current
                    made += 1
                current = from_frame(frame, self.size)
        if current is not None:
            yield from [current] * (self.frames - made)

    def sound(self, samples: int) -> Floats:
        """Stereo at 48 kHz, cut or filled with silence to `samples`. A broken sound track ends early."""
        pieces: list[Floats] = []
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE)
        try:
            with self._open() as container:
                for frame in container.decode(container.streams.audio[0]) if container.streams.audio else ():
                    pieces += [piece.to_ndarray() for piece in resampler.resample(frame)]
        except FFmpegError:
            pass  # the pictures are still good
        return np.concatenate([*pieces, np.zeros((2, samples), np.float32)], axis=1)[:, :samples]
