"""Processes a long video in chunks that fit into memory: which frames each has, and how they are joined.

Each finished chunk is a file, so that an interrupted run can be resumed. Joining copies the chunks unchanged, and adds
the source's audio.
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
"""Codecs that players support in an MP4. Others are converted to AAC."""
TICK, LEAST_TIMESCALE = Fraction(1, 90_000), 10_000
"""The time base of a video of variable rate, and the minimum time scale of others, a multiple of their rate."""


@dataclass(frozen=True)
class PictureTags:
    """A pixel's width by height (None: square), and the color primaries and transfer of a video.

    The numbers are FFmpeg's AVColorPrimaries and AVColorTransferCharacteristic.
    """

    aspect: Fraction | None = None
    primaries: int = BT709
    transfer: int = BT709


def read_tags(path: Path) -> PictureTags:
    """The tags of the video at ``path``, for its upright frames. Raises DecodeError."""
    with open_video(path) as source:
        context: Any = source.video.codec_context
        aspect = Orientation.from_frame(first_frame(source)).aspect(pixel_aspect(source.video))
        values = int(context.color_primaries), int(context.color_trc)
    primaries, transfer = (BT709 if value == UNSPECIFIED else value for value in values)
    return PictureTags(aspect, primaries, transfer)


_PLAIN = PictureTags()


@dataclass(frozen=True)
class Chunk:
    """Chunk ``index`` of ``count``: ``frames`` from ``first`` on, of which ``overlap`` are also in the previous one."""

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
        """How many of the ``made`` processed frames the previous chunk has too. Raises RequestError for too few."""
        if made < self.frames:
            raise RequestError(
                f"Chunk {self.index} had {self.frames} frames and {made} came back. Between Split and Join, frames may "
                "become more, but not fewer."
            )
        if not self.overlap:
            return 0
        # An interpolator makes f (n - 1) + 1 frames of n, with none after the last, or f n.
        if self.frames > 1 and (made - 1) % (self.frames - 1) == 0:
            return (self.overlap - 1) * ((made - 1) // (self.frames - 1)) + 1
        return round(self.overlap * made / self.frames)

    def factor(self, made: int) -> Fraction:
        """The factor by which the number of frames grew: 2 for an interpolator that adds one between each two."""
        if self.frames > 1 and (made - 1) % (self.frames - 1) == 0:
            return Fraction((made - 1) // (self.frames - 1))
        return Fraction(made, self.frames)


def chunk(index: int, total: int, size: int, overlap: int) -> Chunk:
    """Chunk ``index`` of ``total`` frames in chunks of ``size``, each after the first with ``overlap`` frames more.

    Raises RequestError if there is no such chunk.
    """
    count = -(-total // size)
    if not 0 <= index < count:
        raise RequestError(f"There is no chunk {index}: {total} frames are {count} chunks of {size}, counted from 0.")
    first, end = index * size, min((index + 1) * size, total)
    before = min(overlap, first)
    return Chunk(index, count, first - before, end - first + before, before)


def write_chunk(
    path: Path, frames: Iterable[NDArray[Any]], rate: Fraction, crf: int, tags: PictureTags = _PLAIN
) -> None:
    """Write frames ``[H, W, 3]``, floats in 0..1, as an H.264 video with ``tags``, atomically.

    All chunks of a video are encoded alike, so that they can be joined unchanged. Raises EncodeError for no frames.
    """
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise EncodeError("There are no frames in this chunk.")
    height, width = first.shape[:2]
    with partial_file(path) as part, new_mp4(part) as container:
        video = add_h264(container, rate)
        video.width, video.height = width, height
        # yuv420p halves both sides of the color planes, so they must be even.
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
    matrices = {"src_colorspace": BT709, "dst_colorspace": BT709}
    ranges = {"src_color_range": FULL_RANGE, "dst_color_range": LIMITED_RANGE}
    reformat = cast(Any, reformatter).reformat
    frame = reformat(rgb, rgb.width, rgb.height, pixel_format, **matrices, **ranges, **one_thread())
    frame.colorspace, frame.color_range = BT709, LIMITED_RANGE
    return frame


def join_chunks(chunks: list[Path], source: Path, target: Path) -> None:
    """Join all chunks into one video with the audio and the metadata of ``source``, atomically.

    If the frame rate of ``source`` varies, the frames get its times. The audio is copied, or converted to AAC if an MP4
    cannot contain it. Raises EncodeError if the chunks differ in size.
    """
    try:
        _join(chunks, source, target, copies_audio=True)
    except Uncopyable:
        try:
            _join(chunks, source, target, copies_audio=False)
        except Uncopyable as error:
            raise EncodeError(f"{target.name} cannot be written as an MP4: {error}.") from error


def _join(chunks: list[Path], source: Path, target: Path, copies_audio: bool) -> None:
    index = index_of_file(source)
    layouts = [_read_layout(path) for path in chunks]
    times, tick = _show_times(sum(len(layout.ranks) for layout in layouts), index)
    options = {**KEEPS_METADATA, "video_track_timescale": str(tick.denominator)}
    with (
        open_video(chunks[0]) as first,
        open_video(source) as audio_source,
        partial_file(target) as part,
        new_mp4(part, options) as output,
    ):
        output.metadata.update(read_all(source))
        video = output.add_stream_from_template(first.video, opaque=True)
        tracks: dict[int, Track] = {}
        if audio_source.audio is not None:
            is_copied = copies_audio and audio_source.audio.codec_context.name in COPIED_SOUNDS
            tracks[audio_source.audio.index] = (
                CopyTrack(output, audio_source.audio, index.start)
                if is_copied
                else AudioTrack(output, audio_source, audio_source.audio, BEST_SOUND, index.start)
            )
        for packet in _timed_packets(layouts, times, tick):
            packet.stream = video
            output.mux_one(packet)
        if tracks:
            write(audio_source, output, tracks, sys.maxsize, None)


def _timed_packets(layouts: list[_Layout], times: list[int], tick: Fraction) -> Iterator[Packet[Any]]:
    """The packets of all chunks, each with its time in the joined video."""
    depth = max(layout.depth for layout in layouts)
    # With B-frames, packets are decoded up to ``depth`` frames before they are shown.
    decoded = [times[0] - (times[1] - times[0]) * back for back in range(depth, 0, -1)] + times
    begin = 0
    for layout in layouts:
        if layout.size != layouts[0].size:
            wanted = f"{layouts[0].size[0]} × {layouts[0].size[1]}"
            raise EncodeError(f"{layout.path.name} is {layout.size[0]} × {layout.size[1]}, the first chunk {wanted}.")
        with open_video(layout.path) as chunk_file:
            packets = (packet for packet in chunk_file.container.demux(chunk_file.video) if packet.dts is not None)
            for number, (packet, rank) in enumerate(zip(packets, layout.ranks, strict=True), begin):
                shown = begin + rank
                packet.time_base = tick
                packet.pts, packet.dts = times[shown], decoded[number]
                packet.duration = times[shown + 1] - times[shown]
                yield packet
        begin += len(layout.ranks)


@dataclass(frozen=True)
class _Layout:
    """A chunk's size in pixels, and for each packet, in file order, the number of its frame."""

    path: Path
    size: tuple[int, int]
    ranks: list[int]

    @property
    def depth(self) -> int:
        """The largest number of packets by which a frame is later in the file than in presentation order."""
        return max(number - rank for number, rank in enumerate(self.ranks))


def _read_layout(path: Path) -> _Layout:
    with open_video(path) as source:
        stream = source.video
        size = stream.width, stream.height
        shown = [cast(int, packet.pts) for packet in source.container.demux(stream) if packet.dts is not None]
    order = {pts: rank for rank, pts in enumerate(sorted(shown))}
    return _Layout(path, size, [order[pts] for pts in shown])


def _show_times(count: int, index: FrameIndex) -> tuple[list[int], Fraction]:
    """The times of ``count`` frames made of those of ``index``, the end of the last one, and the unit in seconds."""
    known = len(index.times)
    # An interpolator makes f n frames of n, or f (n - 1) + 1, with none after the last.
    factor = Fraction(count, known) if count % known == 0 or known == 1 else Fraction(count - 1, known - 1)
    if index.is_constant:
        rate = index.rate * factor
        scale = -(-LEAST_TIMESCALE // rate.numerator)
        return [number * rate.denominator * scale for number in range(count + 1)], Fraction(1, rate.numerator * scale)
    places = np.arange(count + 1) / float(factor)
    seconds = np.interp(places, np.arange(known + 1), [*index.times, index.end])
    return [round(float(time) / float(TICK)) for time in seconds], TICK
