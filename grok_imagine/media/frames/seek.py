"""Decodes the wanted frames of a film and as few others as can be: seeks over what nobody asked for."""

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
"""A frame, and how often it is wanted."""


@dataclass(frozen=True)
class _SeekRange:
    """Frames that are decoded in one go, from the key frame at ``key`` on."""

    key: int
    wanted: dict[int, int]


class FrameReader:
    """Yields the frames at ``positions`` of the index, in order. One that is damaged is left out.

    With ``or_before``, a damaged last one is replaced by the one that was decoded before it.
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
        self._is_disposable = UnreferencedPackets(source.video)

    def __iter__(self) -> Iterator[Picked]:
        if not self._index.is_timed:
            yield from self._by_order()
            return
        for stretch in self._stretches():
            yield from self._by_time(stretch)

    def _stretches(self) -> list[_SeekRange]:
        """A new one begins where at least one whole group of frames can be jumped over."""
        index, made, last = self._index, list[_SeekRange](), -2
        for position, count in sorted(self._counts.items()):
            pts = int(index.pts[position])
            key = max(int(np.searchsorted(index.keys, pts, side="right")) - 1, 0)
            if key > last + 1:
                made.append(_SeekRange(key, {}))
            made[-1].wanted[pts] = count
            last = key
        return made

    def _by_time(self, stretch: _SeekRange) -> Iterator[Picked]:
        missing, spare = dict(stretch.wanted), cast("VideoFrame | None", None)
        for frame in self._decoded(self._fed(stretch)):
            count = missing.pop(cast(int, frame.pts), 0)
            if count:
                yield frame, count
            spare = frame
            if not missing:
                return
        if self._or_before and spare is not None and len(missing) == len(stretch.wanted):
            yield spare, 1

    def _fed(self, stretch: _SeekRange) -> Iterator[Packet[VideoStream]]:
        """The packets to decode: to the last one that is wanted, without those that nothing is built on."""
        ahead = len(stretch.wanted)
        for packet in self._from(stretch.key):
            check_stop(self._should_stop)
            is_wanted = packet.pts in stretch.wanted and not packet.is_discard
            if is_wanted or not self._is_disposable(packet):
                yield packet
            ahead -= is_wanted
            if not ahead:
                return

    def _from(self, key: int) -> Iterator[Packet[VideoStream]]:
        """The packets from a key frame on. A file can only be seeked roughly, and some land behind the aim."""
        keys = self._index.keys
        for back in () if is_read_in_order(self._source) else (0, 1, 2, 4, 8):
            aim = key - back
            if aim <= 0:
                break
            packets = self._seek(int(keys[aim]))
            first = next((one for one in packets if one.is_keyframe), None)
            if first is not None and first.pts is not None and first.pts <= keys[key]:
                yield first
                yield from packets
                return
        yield from self._seek(None)

    def _seek(self, pts: int | None) -> Iterator[Packet[VideoStream]]:
        """The packets from about ``pts`` on, or from the beginning, which not every format calls by the same time."""
        container, video = self._source.container, self._source.video
        aims: list[tuple[int, VideoStream | None]] = [(aim, video) for aim in self._index.keys[:1].tolist()]
        aims = (
            [(-(2**62), None), (0, None), (container.start_time or 0, None), *aims] if pts is None else [(pts, video)]
        )
        for aim, stream in aims:
            with suppress(FFmpegError):
                container.seek(aim, stream=stream, backward=True)
                return (packet for packet in container.demux(video) if packet.size)
        if pts is not None:
            return self._seek(None)
        raise DecodeError(f"{self._source.name} cannot be wound back after it was looked through.")

    def _by_order(self) -> Iterator[Picked]:
        """A film without times is decoded from its beginning, and its frames are counted."""
        last = max(self._counts)
        for position, frame in enumerate(self._decoded(self._all())):
            if self._counts[position]:
                yield frame, self._counts[position]
            if position == last:
                return

    def _all(self) -> Iterator[Packet[VideoStream]]:
        for packet in self._seek(None):
            check_stop(self._should_stop)
            yield packet

    def _decoded(self, packets: Iterator[Packet[VideoStream]]) -> Iterator[VideoFrame]:
        """The frames of ``packets``, in the end also those that the decoder has held back."""
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
