"""A long film in pieces that fit the memory: which frames each has, and how the finished pieces become one film.

A finished piece is a file of its own, so what is done stays done; joining copies the pieces, bit by bit, beside the
sound of the source.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from ...errors import EncodeError, RequestError
from ...filelock import replace_file
from ..frames.scale import BT709, FULL_RANGE, one_thread
from ..frames.selection import FrameSelection
from ..images.pixels import to_uint8
from ..open import fraction, open_video
from .mp4_writer import new_mp4

VIDEO_RANGE = 1


@dataclass(frozen=True)
class Chunk:
    """Piece ``index`` of ``count``: ``frames`` from ``first`` on, of which ``overlap`` were in the piece before."""

    index: int
    count: int
    first: int
    frames: int
    overlap: int

    @property
    def window(self) -> FrameSelection:
        """The frames to load."""
        return FrameSelection(skip_first_frames=self.first, frame_load_cap=self.frames)

    def repeated(self, made: int) -> int:
        """How many of the ``made`` frames repeat what the piece before has shown. Raises RequestError for too few."""
        if made < self.frames:
            raise RequestError(
                f"Chunk {self.index} had {self.frames} frames and {made} came back. Between Split and Join, frames may "
                "become more, but not fewer."
            )
        if not self.overlap:
            return 0
        # An interpolator makes n frames to f (n - 1) + 1, with nothing after the last, or to f n.
        if self.frames > 1 and (made - 1) % (self.frames - 1) == 0:
            return (self.overlap - 1) * ((made - 1) // (self.frames - 1)) + 1
        return round(self.overlap * made / self.frames)

    def factor(self, made: int) -> Fraction:
        """By how much frames became more: 2 for an interpolator that puts one between each two."""
        if self.frames > 1 and (made - 1) % (self.frames - 1) == 0:
            return Fraction((made - 1) // (self.frames - 1))
        return Fraction(made, self.frames)


def chunk(index: int, total: int, size: int, overlap: int) -> Chunk:
    """Piece ``index`` of ``total`` frames in pieces of ``size``, each after the first with ``overlap`` frames more.

    Raises RequestError if there is no such piece.
    """
    count = -(-total // size)
    if not 0 <= index < count:
        raise RequestError(f"There is no chunk {index}: {total} frames are {count} chunks of {size}, counted from 0.")
    first, end = index * size, min((index + 1) * size, total)
    before = min(overlap, first)
    return Chunk(index, count, first - before, end - first + before, before)


def write_piece(path: Path, frames: Iterable[NDArray[Any]], rate: Fraction, crf: int) -> None:
    """Writes frames ``[H, W, 3]`` of floats in 0..1 as an H.264 film, whole or not at all.

    Every piece of a film is encoded alike, so that they can be joined as they are. Raises EncodeError for none.
    """
    part = path.with_suffix(".part.mp4")
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise EncodeError("There are no frames in this chunk.")
    height, width = first.shape[:2]
    with new_mp4(part) as container:
        video = container.add_stream("libx264", rate=rate)
        video.width, video.height = width, height
        # The usual format halves both sides of the colours, so they must be even.
        video.pix_fmt = "yuv420p" if width % 2 == height % 2 == 0 else "yuv444p"
        video.time_base = 1 / rate
        video.options = {"crf": str(crf), "preset": "medium"}
        context: Any = video.codec_context
        context.color_range = VIDEO_RANGE
        context.color_primaries = context.color_trc = context.colorspace = BT709
        reformatter = VideoReformatter()
        for number, picture in enumerate(_chain(first, pictures)):
            if picture.shape[:2] != (height, width):
                raise EncodeError("The frames of a chunk must all be of one size.")
            frame = _frame(reformatter, picture, video.pix_fmt)
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    replace_file(part, path)


def _chain(first: NDArray[Any], rest: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    yield first
    yield from rest


def _frame(reformatter: VideoReformatter, picture: NDArray[Any], pixel_format: str) -> VideoFrame:
    rgb = VideoFrame.from_ndarray(np.ascontiguousarray(to_uint8(picture[..., :3])), format="rgb24")
    colours = {"src_colorspace": BT709, "dst_colorspace": BT709}
    ranges = {"src_color_range": FULL_RANGE, "dst_color_range": VIDEO_RANGE}
    reformat = cast(Any, reformatter).reformat
    frame = reformat(rgb, rgb.width, rgb.height, pixel_format, **colours, **ranges, **one_thread())
    frame.colorspace, frame.color_range = BT709, VIDEO_RANGE
    return frame


def join_pieces(pieces: list[Path], source: Path, target: Path) -> None:
    """One film of all pieces, copied, with the sound of ``source``, copied too; whole or not at all.

    Raises EncodeError if the pieces are not of one size.
    """
    part = target.with_suffix(".part.mp4")
    with new_mp4(part) as film:
        with open_video(pieces[0]) as first:
            video = film.add_stream_from_template(first.video, opaque=True)
            size = first.video.width, first.video.height
        with open_video(source) as sound:
            audio = film.add_stream_from_template(sound.audio, opaque=True) if sound.audio else None
            shown = Fraction(0)
            for path in pieces:
                shown = _copy_piece(film, video, path, shown, size)
            if audio is not None and sound.audio is not None:
                base = fraction(sound.audio.time_base) or Fraction(1)
                start = round((sound.video.start_time or 0) * (fraction(sound.video.time_base) or 0) / base)
                for packet in sound.container.demux(sound.audio):
                    if packet.dts is not None and packet.pts is not None:
                        packet.pts, packet.dts = packet.pts - start, packet.dts - start
                        packet.stream = audio
                        film.mux_one(packet)
    replace_file(part, target)


def _copy_piece(film: OutputContainer, video: Any, path: Path, shown: Fraction, size: tuple[int, int]) -> Fraction:
    """Adds one piece from the time ``shown`` on, in seconds, and returns when it is over."""
    with open_video(path) as piece:
        stream = piece.video
        if (stream.width, stream.height) != size:
            raise EncodeError(
                f"{path.name} is {stream.width} × {stream.height}, the first chunk {size[0]} × {size[1]}."
            )
        base, rate = fraction(stream.time_base) or Fraction(1), fraction(stream.average_rate) or Fraction(24)
        late, count = round(shown / base), 0
        for packet in piece.container.demux(stream):
            if packet.dts is None or packet.pts is None:
                continue
            packet.pts, packet.dts = packet.pts + late, packet.dts + late
            packet.stream = video
            film.mux_one(packet)
            count += 1
    return shown + count / rate
