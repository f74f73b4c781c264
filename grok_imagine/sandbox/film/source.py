"""Reading a source video: its frames at 24 a second in planes, and its sound."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from .canvas import Planes
from .colour import Bytes, Floats
from .sizes import FPS, SAMPLE_RATE
from .stills import UnusableFootageError

_LONG_SIDE, _SHORT_SIDE = 1920, 1080


class Source:
    """A source video, opened once for its facts and read twice: once for pictures, once for sound."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        try:
            with self._open() as container:
                if not container.streams.video:
                    raise UnusableFootageError("the video has no picture track")
                stream = container.streams.video[0]
                self.has_sound = bool(container.streams.audio)
                self.size = _within(stream.codec_context.width, stream.codec_context.height)
                self.seconds = self._length(container, stream)
        except (FFmpegError, ValueError) as error:
            raise UnusableFootageError(f"the video cannot be read: {type(error).__name__}") from None

    def _open(self) -> Any:
        return av.open(io.BytesIO(self._data), format="mp4")

    @staticmethod
    def _length(container: Any, stream: Any) -> float:
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        if container.duration:
            return container.duration / 1_000_000
        raise UnusableFootageError("the video does not say how long it is")

    def pictures(self, size: tuple[int, int], count: int) -> Iterator[Planes]:
        """Exactly `count` frames at 24 a second; a moment between two source frames shows the earlier one."""
        current: Planes | None = None
        made = 0
        for moment, frame in self._frames(size):
            while current is not None and made < count and made / FPS < moment - 1e-4:
                yield current
                made += 1
            current = frame
        if current is None:
            raise UnusableFootageError("the video holds no frame")
        for _ in range(made, count):
            yield current

    def _frames(self, size: tuple[int, int]) -> Iterator[tuple[float, Planes]]:
        start: float | None = None
        try:
            with self._open() as container:
                stream = container.streams.video[0]
                stream.thread_type = "AUTO"
                for frame in container.decode(stream):
                    moment = float(frame.time or 0.0)
                    start = moment if start is None else start
                    yield moment - start, _planes(frame, size)
        except FFmpegError as error:
            raise UnusableFootageError(f"the video cannot be decoded: {type(error).__name__}") from None

    def sound(self, samples: int) -> Floats:
        """Stereo at 48 kHz, cut or filled with silence to `samples`."""
        out = np.zeros((2, samples), np.float32)
        if not self.has_sound:
            return out
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE)
        place = 0
        try:
            with self._open() as container:
                for frame in container.decode(container.streams.audio[0]):
                    for piece in resampler.resample(frame):
                        data = piece.to_ndarray()[:, : samples - place]
                        out[:, place : place + data.shape[1]] = data
                        place += data.shape[1]
                    if place >= samples:
                        break
        except FFmpegError:
            return out  # A broken sound track is no reason to refuse the picture.
        return out


def _within(width: int, height: int) -> tuple[int, int]:
    """The source's own size, even, and no larger than 1080p."""
    share = min(1.0, _LONG_SIDE / max(width, height), _SHORT_SIDE / min(width, height))
    return max(round(width * share / 2) * 2, 16), max(round(height * share / 2) * 2, 16)


def _planes(frame: Any, size: tuple[int, int]) -> Planes:
    """BT.709 planes of a decoded frame; untagged video is taken for what its size suggests."""
    old = frame.colorspace in (5, 6) or (frame.colorspace == 2 and frame.height < 720)
    scaled = frame.reformat(
        width=size[0],
        height=size[1],
        format="yuv420p",
        dst_color_range="MPEG",
        src_colorspace="ITU601" if old else "ITU709",
        dst_colorspace="ITU709",
    )
    packed: Bytes = scaled.to_ndarray()
    width, height = size
    chroma: Bytes = packed[height:].reshape(2, height // 2, width // 2)
    # A copy: the decoder may use its own memory again.
    return Planes.of((np.array(packed[:height]), np.array(chroma[0]), np.array(chroma[1])))
