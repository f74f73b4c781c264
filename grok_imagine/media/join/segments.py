"""One part of a longer film: its pictures in the film's size, rate and matrix, its sound, and its last frame."""

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
"""Frames per second of a film that is made of a variable rate."""

Packed = NDArray[np.uint8]
"""A picture as FFmpeg packs 4:2:0: ``[H * 3 / 2, W]``, all of Y, then U, then V."""


@dataclass(frozen=True)
class ColorInfo:
    """What a film says of its colours, in FFmpeg's numbers (AVColorSpace and its kin). The range is always limited."""

    space: int
    primaries: int
    transfer: int
    matrix: int
    """swscale's number for ``space``."""


@dataclass(frozen=True)
class VideoFormat:
    """What all pictures of a film have in common: even sides in pixels, upright, frames per second, and colours.

    ``aspect`` is width by height of a pixel; None for square ones.
    """

    width: int
    height: int
    rate: Fraction
    color: ColorInfo
    aspect: Fraction | None = None


def read_format(path: Path) -> VideoFormat:
    """The shape of the film that begins with the clip at ``path``. Raises DecodeError."""
    frame = next(_frames(path), None)
    if frame is None:
        raise DecodeError(f"{path.name} has no frame that can be decoded.")
    with open_video(path) as source:
        aspect = pixel_aspect(source.video)
        given: Any = source.video.codec_context
        colours = ColorInfo(
            int(given.colorspace), int(given.color_primaries), int(given.color_trc), source_colours(frame)[0]
        )
    if frame.format.is_rgb:
        colours = ColorInfo(BT709, BT709, BT709, BT709)
    orientation = Orientation.from_frame(frame)
    width, height = orientation.size(frame.width, frame.height)
    rate = _even_rate(index_of_file(path))
    return VideoFormat(width - width % 2, height - height % 2, rate, colours, orientation.aspect(aspect))


def _even_rate(index: FrameIndex) -> Fraction:
    """Frames per second, in which a variable rate loses little: that of most of its frames."""
    if index.is_constant:
        return index.rate
    usual = Fraction(1 / float(np.median(np.diff(index.times)))).limit_denominator(1001)
    return max(index.rate, min(usual, MOST_RATE))


def last_frame(path: Path) -> NDArray[np.float32]:
    """The last picture of the clip at ``path``, upright, ``[H, W, 3]``, RGB in 0..1. Raises DecodeError."""
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
    """How many pictures :func:`pictures` gives at the clip's own rate."""
    index = index_of_file(path)
    return sum(1 for _ in _frames(path)) if index.is_constant else max(1, round(index.end * _even_rate(index)))


def pictures(path: Path, shape: VideoFormat) -> Iterator[Packed]:
    """Every picture in the film's size and colours, upright. What has these already stays as it is, to the last bit.

    At the film's own rate each comes once; of another rate, each moment of the film shows the picture nearest to it.
    A picture of another ratio is cut at its longer side, in the middle.
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
    yield from _paced(timed, shape.rate, _even_rate(index))


def _paced(timed: Iterator[tuple[Fraction, Packed]], wanted: Fraction, given: Fraction) -> Iterator[Packed]:
    """Pictures at the ``wanted`` rate: each is shown until half-way to the next, the last for its usual time."""
    made, start = 0, Fraction(0)
    waiting: tuple[Fraction, Packed] | None = None
    for at, picture in timed:
        if waiting is None:
            start = at
        else:
            until = (waiting[0] + at) / 2 - start
            while made / wanted < until:
                yield waiting[1]
                made += 1
        waiting = at, picture
    if waiting is not None:
        whole = max(1, round((waiting[0] - start + 1 / given) * wanted))
        yield from (waiting[1] for _ in range(whole - made))


def _time(frame: VideoFrame) -> Fraction:
    return Fraction(frame.pts or 0) * (fraction(frame.time_base) or Fraction(1))


def sound_rate(path: Path) -> int | None:
    """The rate at which a film that begins so has its sound; None for a silent clip."""
    with open_video(path) as source:
        if source.audio is None:
            return None
        given = source.audio.codec_context.sample_rate
        return given if given in SOUND_RATES else SOUND_RATES[-1]


def sound(path: Path, rate: int) -> NDArray[np.float32] | None:
    """The sound from the first picture on as stereo, ``[2, N]`` in -1..1; None for a silent clip."""
    index = index_of_file(path)
    with open_video(path) as source:
        if source.audio is None:
            return None
        track = AudioCollector(source.audio, "stereo", rate)
        for packet in source.container.demux(source.audio):
            track.add(packet)
    found = track.finish(index.start, Fraction(index.end))
    return found.samples[0] if found else None


def _frames(path: Path) -> Iterator[VideoFrame]:
    """Every picture that can be decoded; a damaged packet is left out."""
    with open_video(path) as source:
        cast(Any, source.video).thread_type = "AUTO"
        for packet in source.container.demux(source.video):
            yield from decode_packet(packet)


@dataclass
class _Fit:
    """Turns frames into pictures of one shape."""

    shape: VideoFormat

    def picture(self, frame: VideoFrame, reformatter: VideoReformatter) -> Packed:
        orientation = Orientation.from_frame(frame)
        width, height = self._cover(*orientation.size(frame.width, frame.height))
        stored = orientation.size(width, height)
        matrix, range_ = source_colours(frame)
        if range_ == UNSPECIFIED_RANGE:
            range_ = LIMITED_RANGE  # which goes without saying; said, there is nothing to convert
        made = (
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
        for plane, place, shrink in zip(made.planes, planes(packed), (1, 2, 2), strict=True):
            lines: Packed = np.frombuffer(cast(Any, plane), np.uint8).reshape(-1, plane.line_size)
            upright = orientation.apply(lines[: plane.height, : plane.width, np.newaxis])[..., 0]
            top = ((height - self.shape.height) // 2 // 2 * 2) // shrink
            left = ((width - self.shape.width) // 2 // 2 * 2) // shrink
            place[:] = upright[top : top + place.shape[0], left : left + place.shape[1]]
        return packed

    def _fits(self, frame: VideoFrame, size: tuple[int, int], matrix: int, range_: int) -> bool:
        """Whether there is nothing to convert; swscale would round all the same."""
        kind = (frame.format.name, frame.width, frame.height, matrix, range_)
        return kind == ("yuv420p", *size, self.shape.color.matrix, LIMITED_RANGE)

    def _cover(self, width: int, height: int) -> tuple[int, int]:
        """The size in which a picture of ``width`` and ``height`` covers the film's, without distortion."""
        wanted = Fraction(self.shape.width, self.shape.height)
        # A tier's sides are rounded (854 x 480): that little is no other ratio.
        if abs(Fraction(width, height) / wanted - 1) < Fraction(1, 100):
            return self.shape.width, self.shape.height
        scale = max(self.shape.width / width, self.shape.height / height)
        return _even_up(width * scale, self.shape.width), _even_up(height * scale, self.shape.height)


def _even_up(side: float, least: int) -> int:
    return max(least, 2 * math.ceil(round(side, 3) / 2))


def planes(packed: Packed) -> tuple[Packed, Packed, Packed]:
    """Y, U and V of a packed picture, without a copy."""
    height, width = packed.shape[0] * 2 // 3, packed.shape[1]
    small = (height // 2, width // 2)
    chroma = packed[height:].reshape(2, *small)
    return packed[:height], chroma[0], chroma[1]
