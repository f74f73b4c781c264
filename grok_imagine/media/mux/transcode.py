"""Encodes video and audio as H.264 and AAC of high quality."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.codec import UnknownCodecError
from av.codec.context import ThreadType
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ...errors import EncodeError
from ..audio import AudioDecoder
from ..frames.scale import BT709, LIMITED_RANGE, one_thread, source_colours
from ..open import OpenVideo, decode_packet, file_duration, fraction, pixel_aspect
from ..orientation import Orientation
from .mp4_writer import is_end, map_errors

# x264 is deterministic only with a fixed number of threads, without a bit rate limit, whose state depends on the other
# threads' progress, and without mbtree, which reads past the end of rows whose length is not a multiple of 8 (seen in
# x264 165, at widths of 64, 160, 320, 480 and 854).
# Source: doc/threads.txt and doc/ratecontrol.txt of x264.
X264 = {"preset": "medium", "mbtree": "0"}
THREADS = 4

BEST_SOUND = 192_000
"""Bits per second."""
SOUND_RATES = (44_100, 48_000)
_BLOCK = 1024
"""Samples in a packet of AAC."""
USUAL_RATE = Fraction(30)


@dataclass(frozen=True)
class EncodeSettings:
    """How a video is encoded.

    ``size`` (width, height) of the stored frames in pixels, x264's rate factor, ``sound_rate`` in bits per second, and
    ``rate`` in frames per second.
    """

    size: tuple[int, int]
    rate_factor: float
    sound_rate: int
    rate: Fraction


class VideoTrack:
    """An H.264 track: upright, with even sides, 8-bit 4:2:0, and the times of the source."""

    def __init__(
        self, output: OutputContainer, source: OpenVideo, first: VideoFrame, plan: EncodeSettings, start: Fraction
    ) -> None:
        self._size = plan.size
        self._orientation = Orientation.from_frame(first)
        self._reformatter = VideoReformatter()
        self._base = fraction(source.video.time_base) or 1 / USUAL_RATE
        self._start, self._next = round(start / self._base), 0
        self._frame_duration = max(1, round(1 / plan.rate / self._base))
        self._stream = add_h264(output, plan.rate)
        self._configure(plan)
        self._set_colors(first, source.video)

    def _configure(self, plan: EncodeSettings) -> None:
        stream = self._stream
        width, height = self._orientation.size(*plan.size)
        stream.width, stream.height, stream.pix_fmt = _even(width), _even(height), "yuv420p"
        context: Any = stream.codec_context
        context.time_base = self._base
        context.thread_type, context.thread_count = ThreadType.FRAME, THREADS
        stream.options = {**X264, "crf": f"{plan.rate_factor:.1f}"}

    def _set_colors(self, first: VideoFrame, video: VideoStream) -> None:
        context, given = cast(Any, self._stream.codec_context), cast(Any, video.codec_context)
        context.color_range = LIMITED_RANGE
        if first.format.is_rgb:
            context.colorspace = context.color_primaries = context.color_trc = BT709
        else:
            context.colorspace, context.color_primaries = given.colorspace, given.color_primaries
            context.color_trc = given.color_trc
        aspect = self._orientation.aspect(pixel_aspect(video))
        if aspect:
            context.sample_aspect_ratio = aspect

    def take(self, packet: Packet[Any]) -> list[Packet[Any]]:
        """Encode the frames of ``packet``. A packet that cannot be decoded is skipped."""
        packets: list[Packet[Any]] = []
        for frame in decode_packet(packet):
            prepared = self._prepare(frame)
            with map_errors():
                packets += self._stream.encode(prepared)
        if is_end(packet):
            with map_errors():
                packets += self._stream.encode()
        for new_packet in packets:
            # The last frame's duration, which PyAV 14 sets to one tick.
            new_packet.duration = max(new_packet.duration or 0, self._frame_duration)
        return packets

    def _prepare(self, frame: VideoFrame) -> VideoFrame:
        # Copies only the pixels, since the frame may have metadata.
        planes = list(self._planes(frame))
        packed = np.concatenate([plane.reshape(-1) for plane in planes])
        prepared = VideoFrame.from_ndarray(packed.reshape(-1, planes[0].shape[1]), format="yuv420p")
        at = frame.pts if frame.pts is not None else frame.dts
        # Frames with the same time, or without one, get successive times.
        prepared.pts, prepared.time_base = (
            max(self._next, at - self._start) if at is not None else self._next,
            self._base,
        )
        self._next = prepared.pts + 1
        return prepared

    def _planes(self, frame: VideoFrame) -> Iterator[NDArray[np.uint8]]:
        """The luma and both chroma planes, upright, without the last row or column of an odd side."""
        matrix, range_ = source_colours(frame)
        width, height = self._size
        picture = self._reformatter.reformat(
            frame,
            width,
            height,
            "yuv420p",
            src_colorspace=matrix,
            dst_colorspace=BT709 if frame.format.is_rgb else matrix,
            src_color_range=range_,
            dst_color_range=LIMITED_RANGE,
            interpolation=Interpolation.LANCZOS,
            **one_thread(),
        )
        wide, tall = self._stream.width, self._stream.height
        for plane, shrink in zip(picture.planes, (1, 2, 2), strict=True):
            lines: NDArray[np.uint8] = np.frombuffer(cast(Any, plane), dtype=np.uint8).reshape(-1, plane.line_size)
            upright = self._orientation.apply(lines[: plane.height, : plane.width, np.newaxis])
            yield upright[: tall // shrink, : wide // shrink, 0]


class AacEncoder:
    """An AAC stream. Samples are encoded without gaps."""

    def __init__(self, output: OutputContainer, rate: int, layout: str, bit_rate: int) -> None:
        self._rate, self._layout = rate, layout
        self._stream: Any = output.add_stream("aac", rate=rate)
        self._stream.layout = layout
        self._stream.bit_rate = bit_rate
        # Otherwise the encoder writes its name into the first packet.
        self._stream.options = {"flags": "+bitexact"}
        self.written = 0

    def encode(self, samples: NDArray[np.float32]) -> Iterator[Packet[Any]]:
        """Encode ``samples``, ``[channels, length]``. Returns the packets that are complete. Raises EncodeError."""
        for at in range(0, samples.shape[1], _BLOCK):
            piece = np.ascontiguousarray(samples[:, at : at + _BLOCK])
            frame = AudioFrame.from_ndarray(piece, format="fltp", layout=self._layout)
            frame.sample_rate, frame.pts, frame.time_base = self._rate, self.written, Fraction(1, self._rate)
            self.written += piece.shape[1]
            yield from self._packets(frame)

    def finish(self) -> list[Packet[Any]]:
        """The remaining packets."""
        return self._packets(None)

    def _packets(self, frame: AudioFrame | None) -> list[Packet[Any]]:
        with map_errors():
            return self._stream.encode(frame)


class AudioTrack:
    """An AAC track in mono or stereo. Gaps in the source become silence."""

    def __init__(
        self, output: OutputContainer, source: OpenVideo, audio: AudioStream, bit_rate: int, start: Fraction
    ) -> None:
        given: Any = audio.codec_context
        rate = given.sample_rate if given.sample_rate in SOUND_RATES else SOUND_RATES[-1]
        layout = "mono" if len(given.layout.channels) == 1 else "stereo"
        self._decoder = AudioDecoder(layout, rate)
        self._encoder = AacEncoder(output, rate, layout, bit_rate)
        self._channels = 1 if layout == "mono" else 2
        self._start = start
        # A time stamp beyond the end of the file is damaged.
        self._end = round(file_duration(source) * rate)

    def take(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        """Encode the audio of ``packet``. A packet that cannot be decoded is skipped."""
        for place, samples in self._decoder.decode(packet):
            begin = self._decoder.start if self._decoder.start is not None else self._start
            at = place + round((begin - self._start) * self._decoder.rate)
            samples = samples[:, max(-at, 0) :]
            if self._encoder.written < at < self._end:
                yield from self._encoder.encode(np.zeros((self._channels, at - self._encoder.written), np.float32))
            yield from self._encoder.encode(samples)
        if is_end(packet):
            yield from self._encoder.finish()


def _even(side: int) -> int:
    return max(2, side - side % 2)


def add_h264(output: OutputContainer, rate: Fraction) -> VideoStream:
    """A new H.264 stream of ``output``. Raises EncodeError if this FFmpeg has no encoder for it."""
    try:
        return output.add_stream("libx264", rate=rate)
    except UnknownCodecError as error:
        raise EncodeError("This FFmpeg cannot write H.264. Convert the video to MP4 (H.264, AAC) first.") from error
