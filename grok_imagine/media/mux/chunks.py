"""A long film in pieces that fit the memory: which frames each has, and how the finished pieces become one film.

A finished piece is a file of its own, so what is done stays done; joining copies the pieces, bit by bit, beside the
sound of the source.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from ...errors import EncodeError, RequestError
from ...filelock import partial_file
from ..frames.index import FrameIndex, index_of_file
from ..frames.scale import BT709, FULL_RANGE, LIMITED_RANGE, one_thread
from ..frames.selection import FrameSelection
from ..images.pixels import to_uint8
from ..open import open_video, pixel_aspect
from ..orientation import Orientation
from ..probe import first_frame
from .metadata import KEEPS_METADATA, read_all
from .mp4_writer import CopyTrack, Track, Uncopyable, new_mp4, write
from .transcode import BEST_SOUND, AudioTrack, add_h264

UNSPECIFIED = 2
COPIED_SOUNDS = ("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac")
"""Codecs that players know in an MP4. Others become AAC."""
TICK, LEAST_TIMESCALE = Fraction(1, 90_000), 10_000
"""Of a film whose rate varies, and per second of others: theirs is a multiple of the rate, so that times are exact."""


@dataclass(frozen=True)
class PictureTags:
    """What a film says of its pictures: a pixel's width by height (None: square), primaries and transfer.

    The numbers are FFmpeg's AVColorPrimaries and AVColorTransferCharacteristic.
    """

    aspect: Fraction | None = None
    primaries: int = BT709
    transfer: int = BT709


def read_tags(path: Path) -> PictureTags:
    """The tags of the upright pictures of the film at ``path``. Raises DecodeError."""
    with open_video(path) as source:
        context: Any = source.video.codec_context
        aspect = Orientation.from_frame(first_frame(source)).aspect(pixel_aspect(source.video))
        given = int(context.color_primaries), int(context.color_trc)
    primaries, transfer = (BT709 if one == UNSPECIFIED else one for one in given)
    return PictureTags(aspect, primaries, transfer)


_PLAIN = PictureTags()


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

    def count_repeats(self, made: int) -> int:
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


def write_piece(
    path: Path, frames: Iterable[NDArray[Any]], rate: Fraction, crf: int, tags: PictureTags = _PLAIN
) -> None:
    """Writes frames ``[H, W, 3]`` of floats in 0..1 as an H.264 film with ``tags``, whole or not at all.

    Every piece of a film is encoded alike, so that they can be joined as they are. Raises EncodeError for none.
    """
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise EncodeError("There are no frames in this chunk.")
    height, width = first.shape[:2]
    with partial_file(path) as part, new_mp4(part) as container:
        video = add_h264(container, rate)
        video.width, video.height = width, height
        # The usual format halves both sides of the colours, so they must be even.
        video.pix_fmt = "yuv420p" if width % 2 == height % 2 == 0 else "yuv444p"
        video.time_base = 1 / rate
        video.options = {"crf": str(crf), "preset": "medium"}
        context: Any = video.codec_context
        context.color_range = LIMITED_RANGE
        context.colorspace, context.color_primaries, context.color_trc = BT709, tags.primaries, tags.transfer
        if tags.aspect:
            context.sample_aspect_ratio = tags.aspect
        reformatter = VideoReformatter()
        for number, picture in enumerate(_chain(first, pictures)):
            if picture.shape[:2] != (height, width):
                raise EncodeError("The frames of a chunk must all be of one size.")
            frame = _frame(reformatter, picture, video.pix_fmt)
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(video.encode(frame))
        container.mux(video.encode(None))


def _chain(first: NDArray[Any], rest: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    yield first
    yield from rest


def _frame(reformatter: VideoReformatter, picture: NDArray[Any], pixel_format: str) -> VideoFrame:
    rgb = VideoFrame.from_ndarray(np.ascontiguousarray(to_uint8(picture[..., :3])), format="rgb24")
    colours = {"src_colorspace": BT709, "dst_colorspace": BT709}
    ranges = {"src_color_range": FULL_RANGE, "dst_color_range": LIMITED_RANGE}
    reformat = cast(Any, reformatter).reformat
    frame = reformat(rgb, rgb.width, rgb.height, pixel_format, **colours, **ranges, **one_thread())
    frame.colorspace, frame.color_range = BT709, LIMITED_RANGE
    return frame


def join_pieces(pieces: list[Path], source: Path, target: Path) -> None:
    """One film of all pieces, copied, with the sound and the metadata of ``source``; whole or not at all.

    Where the rate of ``source`` varies, the pieces' frames are shown when its frames are. The sound is copied, too, or
    becomes AAC if an MP4 cannot hold it. Raises EncodeError if the pieces are not of one size.
    """
    try:
        _join(pieces, source, target, copies_sound=True)
    except Uncopyable:
        try:
            _join(pieces, source, target, copies_sound=False)
        except Uncopyable as error:
            raise EncodeError(f"{target.name} cannot be written as an MP4: {error}.") from error


def _join(pieces: list[Path], source: Path, target: Path, copies_sound: bool) -> None:
    index = index_of_file(source)
    layouts = [_read_layout(path) for path in pieces]
    times, tick = _show_times(sum(len(layout.ranks) for layout in layouts), index)
    options = {**KEEPS_METADATA, "video_track_timescale": str(tick.denominator)}
    with (
        open_video(pieces[0]) as first,
        open_video(source) as sound,
        partial_file(target) as part,
        new_mp4(part, options) as film,
    ):
        film.metadata.update(read_all(source))
        video = film.add_stream_from_template(first.video, opaque=True)
        tracks: dict[int, Track] = {}
        if sound.audio is not None:
            is_copied = copies_sound and sound.audio.codec_context.name in COPIED_SOUNDS
            tracks[sound.audio.index] = (
                CopyTrack(film, sound.audio, index.start)
                if is_copied
                else AudioTrack(film, sound, sound.audio, BEST_SOUND, index.start)
            )
        for packet in _timed_packets(layouts, times, tick):
            packet.stream = video
            film.mux_one(packet)
        if tracks:
            write(sound, film, tracks, sys.maxsize, None)


def _timed_packets(layouts: list[_Layout], times: list[int], tick: Fraction) -> Iterator[Packet[Any]]:
    """The packets of all pieces, each with its time in the film."""
    depth = max(layout.depth for layout in layouts)
    # Frames are decoded as many steps before they are shown as B-frames need.
    decoded = [times[0] - (times[1] - times[0]) * back for back in range(depth, 0, -1)] + times
    begin = 0
    for layout in layouts:
        if layout.size != layouts[0].size:
            wanted = f"{layouts[0].size[0]} × {layouts[0].size[1]}"
            raise EncodeError(f"{layout.path.name} is {layout.size[0]} × {layout.size[1]}, the first chunk {wanted}.")
        with open_video(layout.path) as piece:
            packets = (packet for packet in piece.container.demux(piece.video) if packet.dts is not None)
            for number, (packet, rank) in enumerate(zip(packets, layout.ranks, strict=True), begin):
                shown = begin + rank
                packet.time_base = tick
                packet.pts, packet.dts = times[shown], decoded[number]
                packet.duration = times[shown + 1] - times[shown]
                yield packet
        begin += len(layout.ranks)


@dataclass(frozen=True)
class _Layout:
    """A piece's size in pixels, and for each packet, in the order of the file, which frame it holds."""

    path: Path
    size: tuple[int, int]
    ranks: list[int]

    @property
    def depth(self) -> int:
        """By how many packets a frame comes later in the file than it is shown, at most."""
        return max(number - rank for number, rank in enumerate(self.ranks))


def _read_layout(path: Path) -> _Layout:
    with open_video(path) as piece:
        stream = piece.video
        size = stream.width, stream.height
        shown = [cast(int, packet.pts) for packet in piece.container.demux(stream) if packet.dts is not None]
    order = {pts: rank for rank, pts in enumerate(sorted(shown))}
    return _Layout(path, size, [order[pts] for pts in shown])


def _show_times(count: int, index: FrameIndex) -> tuple[list[int], Fraction]:
    """When each of ``count`` frames that were made of ``index`` is shown, and when the last one ends; and the unit."""
    known = len(index.times)
    # An interpolator makes n frames to f n, or to f (n - 1) + 1, with nothing after the last.
    factor = Fraction(count, known) if count % known == 0 or known == 1 else Fraction(count - 1, known - 1)
    if index.is_constant:
        rate = index.rate * factor
        scale = -(-LEAST_TIMESCALE // rate.numerator)
        return [number * rate.denominator * scale for number in range(count + 1)], Fraction(1, rate.numerator * scale)
    places = np.arange(count + 1) / float(factor)
    seconds = np.interp(places, np.arange(known + 1), [*index.times, index.end])
    return [round(float(one) / float(TICK)) for one in seconds], TICK
