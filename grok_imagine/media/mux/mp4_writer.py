"""Writes MP4 files that contain only video and audio, with the same bytes for the same input."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from ...errors import EncodeError
from ..open import OpenVideo, fraction
from ..stop import ShouldStop, check_stop

# The index is before the data, so that a server can read it before the whole file has arrived. Bitexact omits the
# writer's name and version; the creation time is written only if one is set.
# Source: "mov, mp4, ismv" and "Format Options" of the ffmpeg-formats manual.
OPTIONS = {"movflags": "+faststart", "fflags": "+bitexact"}

_S = TypeVar("_S", bound=Stream)


class TooLarge(Exception):
    """The file exceeds the size limit. ``at`` is the time in seconds up to which it was written."""

    def __init__(self, at: Fraction) -> None:
        self.at = at


class Uncopyable(Exception):
    """An MP4 cannot contain the packets. A copied stream must be encoded instead."""


@contextmanager
def map_errors() -> Generator[None, None, None]:
    """Convert FFmpeg's errors to EncodeError, so that they do not count as errors of the source."""
    try:
        yield
    except FFmpegError as error:
        raise EncodeError(f"The video cannot be encoded: {error.strerror or type(error).__name__}.") from error


class Track(Protocol):
    """One stream of the output. ``take`` converts a packet of the source to packets of the output.

    The last packet of a stream is empty and has no time; it returns all packets that were held back.
    """

    def take(self, packet: Packet[Any]) -> Iterable[Packet[Any]]: ...


@contextmanager
def new_mp4(path: Path, options: dict[str, str] = OPTIONS) -> Generator[OutputContainer, None, None]:
    """A new MP4 at ``path``, without the titles, chapters and pictures of a source. Closed when the block ends."""
    container = av.open(str(path), "w", format="mp4", options=dict(options))
    try:
        yield container
    except BaseException:
        # After an error the file is useless, and closing it must not hide the error.
        with suppress(FFmpegError):
            container.close()
        raise
    container.close()


def write(
    source: OpenVideo,
    output: OutputContainer,
    tracks: dict[int, Track],
    max_bytes: int,
    should_stop: ShouldStop | None,
) -> None:
    """Send every packet of ``source`` through its stream's track. Raises DecodeStopped, TooLarge or Uncopyable."""
    streams = [stream for stream in (source.video, source.audio) if stream is not None and stream.index in tracks]
    written = 0
    for packet in source.container.demux(*cast(Any, streams)):
        check_stop(should_stop)
        # Not packet.stream_index, which is wrong for a stream's last, empty packet.
        for converted in tracks[packet.stream.index].take(packet):
            written += converted.size
            if written > max_bytes:
                raise TooLarge((converted.pts or 0) * (fraction(converted.time_base) or Fraction(0)))
            try:
                output.mux_one(converted)
            except FFmpegError as error:
                raise Uncopyable(error.strerror or type(error).__name__) from error


class CopyTrack:
    """A track that copies packets unchanged."""

    def __init__(self, output: OutputContainer, stream: Stream, start: Fraction) -> None:
        self._start = round(start / (fraction(stream.time_base) or 1))
        self._target = copy_stream(output, stream)
        self._waiting: list[Packet[Any]] = []

    def take(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        """The packet, with its times counted from ``start``. Held back until a decoding time is known."""
        if is_end(packet):
            if self._waiting:
                raise Uncopyable("no packet has a decoding time")
            return []
        if packet.pts is None:
            raise Uncopyable("a packet without a time")
        self._waiting.append(packet)
        return [] if packet.dts is None else self._timed(packet.dts)

    def _timed(self, known: int) -> Iterable[Packet[Any]]:
        """All waiting packets. Matroska has no decoding times, and FFmpeg cannot derive those of the first packets."""
        waiting, self._waiting = self._waiting, []
        for ahead, packet in zip(range(len(waiting) - 1, -1, -1), waiting, strict=True):
            packet.dts = known - ahead * (packet.duration or 1) - self._start
            packet.pts = cast(int, packet.pts) - self._start
            packet.stream = self._target
            yield packet


def copy_stream(output: OutputContainer, stream: _S) -> _S:
    """A new stream of ``output`` with the parameters of ``stream``."""
    # "opaque" copies the parameters without a codec, which is needed to keep the display matrix.
    target = output.add_stream_from_template(stream, opaque=True)
    # PyAV 14 cannot set it; the time base is then 1/90000 s.
    with suppress(RuntimeError):
        target.time_base = stream.time_base
    return target


def is_end(packet: Packet[Any]) -> bool:
    """Whether ``packet`` is the empty one at the end of its stream."""
    return packet.dts is None and packet.pts is None and not packet.size


def start_of(source: OpenVideo) -> Fraction:
    """The source's start time in seconds; 0 if it is negative, since that is an edit list, which must be kept."""
    return Fraction(max(source.container.start_time or 0, 0), av.time_base)
