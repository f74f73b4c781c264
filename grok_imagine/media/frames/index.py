"""The times of all frames, read from the packets without decoding."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ...errors import DecodeError
from ..open import OpenVideo, fraction, frame_rate, open_video
from ..stop import ShouldStop, check_stop

_COARSEST_ROUNDING = Fraction(1, 500)
"""In seconds. In a coarser time base, such as AVI's, times are whole frames and not rounded."""
_LARGEST_DENOMINATOR = 100_000
_CODED_SLICES = range(1, 6)
"""NAL unit types of H.264 that contain parts of a picture. Source: ITU-T H.264, table 7-1."""


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """All frames in presentation order.

    ``times`` are in seconds after the first frame, float64 ``[N]``; ``end`` is the end of the last one. ``pts`` are the
    same in the stream's time base, ``keys`` those of key frames. Both are empty if the packets have no times; such a
    file can be decoded only from its beginning. ``last`` is for how many seconds the last frame is shown, and
    ``rounding`` by how many the times may be rounded.
    """

    times: NDArray[np.float64]
    last: Fraction
    rate: Fraction
    start: Fraction
    pts: NDArray[np.int64]
    keys: NDArray[np.int64]
    rounding: float = 0

    @property
    def end(self) -> float:
        """When the last frame ends, in seconds after the first one begins."""
        return float(self.times[-1]) + float(self.last)

    @property
    def is_constant(self) -> bool:
        """Whether every frame is shown within half a frame of where an even rate puts it."""
        even = np.arange(len(self.times)) / float(self.rate)
        return bool(np.abs(self.times - even).max() <= 0.5 / float(self.rate))

    @property
    def is_timed(self) -> bool:
        """Whether the frames have times."""
        return len(self.pts) > 0


def read_index(source: OpenVideo, should_stop: ShouldStop | None = None) -> FrameIndex:
    """Read the whole file and return its index. ``source`` is at its end afterwards: seek before decoding.

    Raises DecodeError if there is no frame, or DecodeStopped.
    """
    collected = PacketTimes(source)
    for packet in source.container.demux(source.video):
        check_stop(should_stop)
        collected.add(packet)
    return collected.index()


def index_of_file(path: Path, should_stop: ShouldStop | None = None) -> FrameIndex:
    """Open the video at ``path`` and return its index. Raises as :func:`read_index`."""
    with open_video(path) as source:
        return read_index(source, should_stop)


class PacketTimes:
    """Collects the times of a video's packets, in the order of the file."""

    def __init__(self, source: OpenVideo) -> None:
        self._source = source
        self._pts: list[int | None] = []
        self._keys: list[int] = []
        self._last = (-1, 0)

    def add(self, packet: Packet[VideoStream]) -> None:
        """Adds a packet, unless an edit list cuts it off: then it is decoded but not shown."""
        if not packet.size or packet.is_discard:
            return
        self._pts.append(packet.pts)
        if packet.pts is None:
            return
        self._last = max(self._last, (packet.pts, packet.duration or 0))
        if packet.is_keyframe:
            self._keys.append(packet.pts)

    def index(self) -> FrameIndex:
        """The index of all packets. Raises DecodeError if there is none."""
        count, video = len(self._pts), self._source.video
        if not count:
            raise DecodeError(f"{self._source.name} has no frame that can be decoded.")
        base, header = fraction(video.time_base), frame_rate(video)
        known: NDArray[np.int64] = np.unique(np.array([one for one in self._pts if one is not None], np.int64))
        start = int(known[0]) * base if base and len(known) else Fraction(0)
        if base is None or not self._keys or len(known) < count:
            rate = header or Fraction(24)
            none: NDArray[np.int64] = np.zeros(0, np.int64)
            return FrameIndex(np.arange(count) / float(rate), 1 / rate, rate, start, none, none)
        rate, last = _average_rate(header, count, int(known[-1] - known[0]) * base, self._last[1] * base, base)
        times = (known - known[0]).astype(np.float64) * float(base)
        return FrameIndex(
            times, last, rate, start, known, np.array(sorted(self._keys), np.int64), _rounding(base, times)
        )


def _average_rate(
    header: Fraction | None, count: int, span: Fraction, last: Fraction, base: Fraction
) -> tuple[Fraction, Fraction]:
    """Frames per second of ``count`` frames, and for how many seconds the last one is shown.

    ``span`` seconds are from the first to the last, which is shown for ``last`` or, if that is 0, for an unknown time.
    The rate is the header's, unless it is wrong by more than a quarter of a frame over all of them: for a WebM without
    a rate FFmpeg takes its time base, 1/1000 s, and for others it guesses from the first frames.
    """
    if count < 2 or not span:
        rate = header or Fraction(24)
        return rate, last or 1 / rate
    usual = span / (count - 1)
    if header and header * usual > 2:
        last = Fraction(0)  # FFmpeg derives it from that rate
    seconds = span + (last or usual)
    if not header or abs(count / header - seconds) > max(2 * base, 1 / header / 4):
        header = (count / seconds).limit_denominator(_LARGEST_DENOMINATOR)
    return header, last or 1 / header


def _rounding(base: Fraction, times: NDArray[np.float64]) -> float:
    """Matroska and FLV round times to 1/1000 s, and the first one, from which the others are counted, too."""
    if base > _COARSEST_ROUNDING or len(times) < 2:
        return 0
    shortest = float(np.diff(times).min())
    # APNG adds up rounded durations: a hundredth of a frame more than its time base.
    return min(max(float(base), 0.01 * shortest), 0.4 * shortest)


class UnreferencedPackets:
    """Detects H.264 packets that no other frame refers to, so that decoding them can be skipped.

    About half of x264's frames. Always False for other codecs and for streams that are not in MP4's format.
    """

    def __init__(self, video: VideoStream) -> None:
        head = bytes(cast(Any, video.codec_context).extradata or b"")
        # Source: ISO/IEC 14496-15, AVCDecoderConfigurationRecord: version 1, and the size of the lengths in byte 4.
        is_avc = video.codec_context.name == "h264" and len(head) > 4 and head[0] == 1
        self._length_size = (head[4] & 3) + 1 if is_avc else 0

    def __call__(self, packet: Packet[VideoStream]) -> bool:
        size = self._length_size
        if not size or packet.is_keyframe:
            return False
        data, at = memoryview(cast(Any, packet)), 0
        while at + size < len(data):
            length = int.from_bytes(data[at : at + size], "big")
            # nal_ref_idc and nal_unit_type. Source: ITU-T H.264, 7.3.1.
            head = data[at + size]
            if head & 31 in _CODED_SLICES and head >> 5 & 3:
                return False
            at += size + length
        return True
