"""The times of all frames, read from the packets without decoding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ...errors import DecodeError
from ..open import OpenVideo, fraction, frame_rate

_CODED_SLICES = range(1, 6)
"""NAL unit types of H.264 that contain parts of a picture. Source: ITU-T H.264, table 7-1."""


class DecodeStopped(Exception):
    """``should_stop`` returned True. Not an error."""


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """All frames in presentation order.

    ``times`` are in seconds after the first frame, float64 ``[N]``; ``end`` is the end of the last one. ``pts`` are the
    same in the stream's time base, ``keys`` those of key frames. Both are empty if the packets have no times; such a
    file can be decoded only from its beginning.
    """

    times: NDArray[np.float64]
    end: float
    rate: Fraction
    start: Fraction
    pts: NDArray[np.int64]
    keys: NDArray[np.int64]

    @property
    def is_timed(self) -> bool:
        """Whether the frames have times."""
        return len(self.pts) > 0


def read_index(source: OpenVideo, should_stop: Callable[[], bool] | None = None) -> FrameIndex:
    """Read the whole file and return its index. ``source`` is at its end afterwards: seek before decoding.

    Raises DecodeError if there is no frame, or DecodeStopped.
    """
    pts: list[int | None] = []
    keys: list[int] = []
    longest = 0
    for packet in source.container.demux(source.video):
        if should_stop is not None and should_stop():
            raise DecodeStopped
        # Frames that an edit list cuts off are decoded but not shown.
        if not packet.size or packet.is_discard:
            continue
        pts.append(packet.pts)
        longest = packet.duration or longest
        if packet.is_keyframe and packet.pts is not None:
            keys.append(packet.pts)
    if not pts:
        raise DecodeError(f"{source.name} has no frame that can be decoded.")
    return _index(source, pts, sorted(keys), longest)


def _index(source: OpenVideo, pts: list[int | None], keys: list[int], last_duration: int) -> FrameIndex:
    base = fraction(source.video.time_base)
    rate = frame_rate(source.video) or Fraction(24)
    known = [one for one in pts if one is not None]
    none: NDArray[np.int64] = np.zeros(0, np.int64)
    if base is None or len(known) < len(pts) or not keys or len(set(known)) < len(known):
        times = np.arange(len(pts)) / float(rate)
        return FrameIndex(times, len(pts) / float(rate), rate, Fraction(0), none, none)
    ordered: NDArray[np.int64] = np.sort(np.array(known, np.int64))
    times = (ordered - ordered[0]).astype(np.float64) * float(base)
    lasts = last_duration * float(base) if last_duration else 1 / float(rate)
    start = int(ordered[0]) * base
    return FrameIndex(times, float(times[-1]) + lasts, rate, start, ordered, np.array(keys, np.int64))


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
