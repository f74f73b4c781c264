"""Decodes selected frames of a video, and as few others as possible, by seeking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ...errors import DecodeError
from ..open import OpenVideo, decode_packet, is_read_in_order
from ..stop import ShouldStop, check_stop
from .index import FrameIndex, UnreferencedPackets

Picked = tuple[VideoFrame, int]
"""A frame, and how often it is selected."""


@dataclass(frozen=True)
class _SeekRange:
    """Frames that are decoded in one pass, from the key frame number ``key`` on. ``wanted`` counts them by pts."""

    key: int
    wanted: dict[int, int]


class FrameReader:
    """Iterates over the frames at ``positions`` of the index, in order, without damaged ones.

    With ``or_before``, a damaged last one is replaced by the frame decoded before it.
    """

    def __init__(
        self,
        source: OpenVideo,
        index: FrameIndex,
        positions: Sequence[int],
        should_stop: ShouldStop | None,
        or_before: bool = False,
    ) -> None:
        self._source = source
        self._index = index
        self._counts = Counter(positions)
        self._should_stop = should_stop
        self._or_before = or_before
        self._is_unreferenced = UnreferencedPackets(source.video)

    def __iter__(self) -> Iterator[Picked]:
        if not self._index.is_timed:
            yield from self._by_order()
            return
        for seek_range in self._seek_ranges():
            yield from self._by_time(seek_range)

    def _seek_ranges(self) -> list[_SeekRange]:
        """A new range begins where at least one key frame can be skipped."""
        index, ranges, last = self._index, list[_SeekRange](), -2
        for position, count in sorted(self._counts.items()):
            pts = int(index.pts[position])
            key = max(int(np.searchsorted(index.keys, pts, side="right")) - 1, 0)
            if key > last + 1:
                ranges.append(_SeekRange(key, {}))
            ranges[-1].wanted[pts] = count
            last = key
        return ranges

    def _by_time(self, seek_range: _SeekRange) -> Iterator[Picked]:
        missing, previous = dict(seek_range.wanted), cast("VideoFrame | None", None)
        for frame in self._decode(self._needed_packets(seek_range)):
            count = missing.pop(cast(int, frame.pts), 0)
            if count:
                yield frame, count
            previous = frame
            if not missing:
                return
        if self._or_before and previous is not None and len(missing) == len(seek_range.wanted):
            yield previous, 1

    def _needed_packets(self, seek_range: _SeekRange) -> Iterator[Packet[VideoStream]]:
        """The packets up to the last wanted frame, without unwanted ones that no other frame refers to."""
        left = len(seek_range.wanted)
        for packet in self._packets_from(seek_range.key):
            check_stop(self._should_stop)
            is_wanted = packet.pts in seek_range.wanted and not packet.is_discard
            if is_wanted or not self._is_unreferenced(packet):
                yield packet
            left -= is_wanted
            if not left:
                return

    def _packets_from(self, key: int) -> Iterator[Packet[VideoStream]]:
        """The packets from key frame number ``key`` on. Tries earlier ones if seeking ends up behind it."""
        keys = self._index.keys
        for back in () if is_read_in_order(self._source) else (0, 1, 2, 4, 8):
            start = key - back
            if start <= 0:
                break
            packets = self._seek(int(keys[start]))
            first = next((packet for packet in packets if packet.is_keyframe), None)
            if first is not None and first.pts is not None and first.pts <= keys[key]:
                yield first
                yield from packets
                return
        yield from self._seek(None)

    def _seek(self, pts: int | None) -> Iterator[Packet[VideoStream]]:
        """The packets from about ``pts`` on; None: from the beginning, whose time depends on the format."""
        container, video = self._source.container, self._source.video
        first_key: list[tuple[int, VideoStream | None]] = [(key, video) for key in self._index.keys[:1].tolist()]
        beginnings = [(-(2**62), None), (0, None), (container.start_time or 0, None), *first_key]
        for time, stream in beginnings if pts is None else [(pts, video)]:
            with suppress(FFmpegError):
                container.seek(time, stream=stream, backward=True)
                return (packet for packet in container.demux(video) if packet.size)
        if pts is not None:
            return self._seek(None)
        raise DecodeError(f"{self._source.name} cannot be read again from its beginning: it does not support seeking.")

    def _by_order(self) -> Iterator[Picked]:
        """For a video without times: decodes it from its beginning and counts the frames."""
        last = max(self._counts)
        for position, frame in enumerate(self._decode(self._all_packets())):
            if self._counts[position]:
                yield frame, self._counts[position]
            if position == last:
                return

    def _all_packets(self) -> Iterator[Packet[VideoStream]]:
        for packet in self._seek(None):
            check_stop(self._should_stop)
            yield packet

    def _decode(self, packets: Iterator[Packet[VideoStream]]) -> Iterator[VideoFrame]:
        """The frames of ``packets``, including those that the decoder returns only at the end."""
        context = cast(Any, self._source.video.codec_context)
        for packet in packets:
            yield from decode_packet(packet)
        while True:
            check_stop(self._should_stop)
            try:
                yield from cast("list[VideoFrame]", context.decode(None))
            except InvalidDataError:
                continue
            except EOFError:
                pass
            return
