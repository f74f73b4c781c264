"""Reads one clip of a joined video: its frames in the video's format, its audio, and its last frame."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from ...errors import DecodeError
from ..audio import AudioCollector
from ..frames.convert import convert
from ..frames.index import FrameIndex, index_of_file
from ..frames.resize import Geometry
from ..frames.scale import BT709, LIMITED_RANGE, UNSPECIFIED_RANGE, new_scaler, one_thread, source_colours
from ..mux.transcode import SOUND_RATES
from ..open import decode_packet, fraction, open_video, pixel_aspect
from ..orientation import Orientation

MOST_RATE = Fraction(60)
"""The maximum frame rate that a clip of variable rate is converted to."""

Packed = NDArray[np.uint8]
"""A frame in yuv420p, as FFmpeg packs it: uint8 ``[H * 3 / 2, W]``, all of Y, then U, then V."""


@dataclass(frozen=True)
class ColorInfo:
    """A video's colors, as FFmpeg's numbers (AVColorSpace etc.). The range is always limited."""

    space: int
    primaries: int
    transfer: int
    matrix: int
    """swscale's number for ``space``."""


@dataclass(frozen=True)
class VideoFormat:
    """The format of a joined video: even sides of the upright frame in pixels, frames per second, and colors.

    ``aspect`` is width by height of a pixel; None for square ones.
    """

    width: int
    height: int
    rate: Fraction
    color: ColorInfo
    aspect: Fraction | None = None


def read_format(path: Path) -> VideoFormat:
    """The format of a joined video that begins with the clip at ``path``. Raises DecodeError."""
    frame = next(_frames(path), None)
    if frame is None:
        raise DecodeError(f"{path.name} has no frame that can be decoded.")
    with open_video(path) as source:
        aspect = pixel_aspect(source.video)
        given: Any = source.video.codec_context
        colors = ColorInfo(
            int(given.colorspace), int(given.color_primaries), int(given.color_trc), source_colours(frame)[0]
        )
    if frame.format.is_rgb:
        colors = ColorInfo(BT709, BT709, BT709, BT709)
    orientation = Orientation.from_frame(frame)
    width, height = orientation.size(frame.width, frame.height)
    rate = _even_rate(index_of_file(path))
    return VideoFormat(width - width % 2, height - height % 2, rate, colors, orientation.aspect(aspect))


def _even_rate(index: FrameIndex) -> Fraction:
    """Frames per second. For a variable rate, that of most frames, up to MOST_RATE."""
    if index.is_constant:
        return index.rate
    usual = Fraction(1 / float(np.median(np.diff(index.times)))).limit_denominator(1001)
    return max(index.rate, min(usual, MOST_RATE))


def last_frame(path: Path) -> NDArray[np.float32]:
    """The last frame of the clip at ``path``, upright, float32 ``[H, W, 3]``, RGB in 0..1. Raises DecodeError."""
    last: VideoFrame | None = None
    for frame in _frames(path):
        last = frame
    if last is None:
        raise DecodeError(f"{path.name} has no frame that can be decoded.")
    orientation = Orientation.from_frame(last)
    width, height = orientation.size(last.width, last.height)
    picture = np.empty((height, width, 3), np.float32)
    convert(new_scaler(), last, Geometry((width, height), (width, height)), orientation, [picture])
    return picture


def count_frames(path: Path) -> int:
    """The number of frames that :func:`pictures` returns at the clip's own rate."""
    index = index_of_file(path)
    return sum(1 for _ in _frames(path)) if index.is_constant else max(1, round(index.end * _even_rate(index)))


def pictures(path: Path, shape: VideoFormat) -> Iterator[Packed]:
    """The clip's frames in the format ``shape``. A frame that has this format already is unchanged.

    A clip of another rate is resampled to the nearest frames. Frames of another aspect ratio are cropped around their
    center.
    """
    index = index_of_file(path)
    fit, reformatter = _Fit(shape), VideoReformatter()
    if index.is_constant and index.rate == shape.rate:
        yield from (fit.picture(frame, reformatter) for frame in _frames(path))
        return
    timed = (
        (_time(frame) if index.is_timed else number / index.rate, fit.picture(frame, reformatter))
        for number, frame in enumerate(_frames(path))
    )
    yield from _resample(timed, shape.rate, _even_rate(index))


def _resample(timed: Iterator[tuple[Fraction, Packed]], wanted: Fraction, given: Fraction) -> Iterator[Packed]:
    """Frames at the ``wanted`` rate: each is shown until half-way to the next, the last for one frame of ``given``."""
    count, start = 0, Fraction(0)
    waiting: tuple[Fraction, Packed] | None = None
    for at, picture in timed:
        if waiting is None:
            start = at
        else:
            until = (waiting[0] + at) / 2 - start
            while count / wanted < until:
                yield waiting[1]
                count += 1
        waiting = at, picture
    if waiting is not None:
        whole = max(1, round((waiting[0] - start + 1 / given) * wanted))
        yield from (waiting[1] for _ in range(whole - count))


def _time(frame: VideoFrame) -> Fraction:
    return Fraction(frame.pts or 0) * (fraction(frame.time_base) or Fraction(1))


def sound_rate(path: Path) -> int | None:
    """The audio rate of a joined video that begins with this clip; None for a clip without audio."""
    with open_video(path) as source:
        if source.audio is None:
            return None
        given = source.audio.codec_context.sample_rate
        return given if given in SOUND_RATES else SOUND_RATES[-1]


def sound(path: Path, rate: int) -> NDArray[np.float32] | None:
    """The audio from the first frame on as stereo, float32 ``[2, N]`` in -1..1; None for a clip without audio."""
    index = index_of_file(path)
    with open_video(path) as source:
        if source.audio is None:
            return None
        track = AudioCollector(source.audio, "stereo", rate)
        for packet in source.container.demux(source.audio):
            track.add(packet)
    audio = track.finish(index.start, Fraction(index.end))
    return audio.samples[0] if audio else None


def _frames(path: Path) -> Iterator[VideoFrame]:
    """Every frame that can be decoded; damaged packets are skipped."""
    with open_video(path) as source:
        cast(Any, source.video).thread_type = "AUTO"
        for packet in source.container.demux(source.video):
            yield from decode_packet(packet)


@dataclass
class _Fit:
    """Converts frames to one format."""

    shape: VideoFormat

    def picture(self, frame: VideoFrame, reformatter: VideoReformatter) -> Packed:
        orientation = Orientation.from_frame(frame)
        width, height = self._cover(*orientation.size(frame.width, frame.height))
        stored = orientation.size(width, height)
        matrix, range_ = source_colours(frame)
        if range_ == UNSPECIFIED_RANGE:
            range_ = LIMITED_RANGE  # the default; if set, there may be nothing to convert
        converted = (
            frame
            if self._fits(frame, stored, matrix, range_)
            else reformatter.reformat(
                frame,
                *stored,
                "yuv420p",
                src_colorspace=matrix,
                dst_colorspace=self.shape.color.matrix,
                src_color_range=range_,
                dst_color_range=LIMITED_RANGE,
                interpolation=Interpolation.LANCZOS,
                **one_thread(),
            )
        )
        packed = np.empty((self.shape.height * 3 // 2, self.shape.width), np.uint8)
        for plane, target, shrink in zip(converted.planes, planes(packed), (1, 2, 2), strict=True):
            lines: Packed = np.frombuffer(cast(Any, plane), np.uint8).reshape(-1, plane.line_size)
            upright = orientation.apply(lines[: plane.height, : plane.width, np.newaxis])[..., 0]
            top = ((height - self.shape.height) // 2 // 2 * 2) // shrink
            left = ((width - self.shape.width) // 2 // 2 * 2) // shrink
            target[:] = upright[top : top + target.shape[0], left : left + target.shape[1]]
        return packed

    def _fits(self, frame: VideoFrame, size: tuple[int, int], matrix: int, range_: int) -> bool:
        """Whether there is nothing to convert. swscale would still round."""
        kind = (frame.format.name, frame.width, frame.height, matrix, range_)
        return kind == ("yuv420p", *size, self.shape.color.matrix, LIMITED_RANGE)

    def _cover(self, width: int, height: int) -> tuple[int, int]:
        """The size at which a frame of ``width`` and ``height`` covers the format's, without distortion."""
        wanted = Fraction(self.shape.width, self.shape.height)
        # Nominal sizes are rounded (854 x 480), so a ratio that differs by less than 1 % is the same.
        if abs(Fraction(width, height) / wanted - 1) < Fraction(1, 100):
            return self.shape.width, self.shape.height
        scale = max(self.shape.width / width, self.shape.height / height)
        return _even_up(width * scale, self.shape.width), _even_up(height * scale, self.shape.height)


def _even_up(side: float, least: int) -> int:
    return max(least, 2 * math.ceil(round(side, 3) / 2))


def planes(packed: Packed) -> tuple[Packed, Packed, Packed]:
    """Views of Y, U and V of a packed frame."""
    height, width = packed.shape[0] * 2 // 3, packed.shape[1]
    small = (height // 2, width // 2)
    chroma = packed[height:].reshape(2, *small)
    return packed[:height], chroma[0], chroma[1]
