"""Writing an MP4 with nothing in it but picture and sound, the same bytes for the same input."""

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

# The index goes before the data, so that a server can look into the file before all of it has come. Bitexact leaves
# out the name and version of the writer; a time of creation is written only if one is set.
# Source: "mov, mp4, ismv" and "Format Options" of the ffmpeg-formats manual.
OPTIONS = {"movflags": "+faststart", "fflags": "+bitexact"}

_S = TypeVar("_S", bound=Stream)


class TooLarge(Exception):
    """The file grows past the limit. ``at`` is the time, in seconds, that it had come to."""

    def __init__(self, at: Fraction) -> None:
        self.at = at


class Uncopyable(Exception):
    """The packets do not fit into an MP4 as they are. Those of a copied stream must be encoded anew."""


@contextmanager
def map_errors() -> Generator[None, None, None]:
    """Raises FFmpeg's errors as EncodeError, so that they are not taken for damage in the source."""
    try:
        yield
    except FFmpegError as error:
        raise EncodeError(f"The video cannot be encoded: {error.strerror or type(error).__name__}.") from error


class Track(Protocol):
    """One stream of the new film. ``take`` turns a packet of the source into those of the film.

    The last packet of a stream is empty and has no time: then all that is held back comes out.
    """

    def take(self, packet: Packet[Any]) -> Iterable[Packet[Any]]: ...


@contextmanager
def new_mp4(path: Path, options: dict[str, str] = OPTIONS) -> Generator[OutputContainer, None, None]:
    """An empty MP4 at ``path``. Nothing of a source gets into it by itself: no titles, no chapters, no pictures."""
    container = av.open(str(path), "w", format="mp4", options=dict(options))
    try:
        yield container
    except BaseException:
        # What is abandoned need not be finished, and must not hide why.
        with suppress(FFmpegError):
            container.close()
        raise
    container.close()


def write(
    source: OpenVideo,
    film: OutputContainer,
    tracks: dict[int, Track],
    max_bytes: int,
    should_stop: ShouldStop | None,
) -> None:
    """Sends every packet of ``source`` through the track of its stream. Raises DecodeStopped, TooLarge, Uncopyable."""
    streams = [stream for stream in (source.video, source.audio) if stream is not None and stream.index in tracks]
    written = 0
    for packet in source.container.demux(*cast(Any, streams)):
        check_stop(should_stop)
        # The index of a stream's last, empty packet is wrong in PyAV.
        for made in tracks[packet.stream.index].take(packet):
            written += made.size
            if written > max_bytes:
                raise TooLarge((made.pts or 0) * (fraction(made.time_base) or Fraction(0)))
            try:
                film.mux_one(made)
            except FFmpegError as error:
                raise Uncopyable(error.strerror or type(error).__name__) from error


class CopyTrack:
    """A track whose packets stay as they are, to the last bit."""

    def __init__(self, film: OutputContainer, stream: Stream, start: Fraction) -> None:
        self._late = round(start / (fraction(stream.time_base) or 1))
        self._target = copy_stream(film, stream)
        self._waiting: list[Packet[Any]] = []

    def take(self, packet: Packet[Any]) -> Iterable[Packet[Any]]:
        """The packet itself, moved by the start of the source."""
        if is_end(packet):
            if self._waiting:
                raise Uncopyable("no packet says when it is to be decoded")
            return []
        if packet.pts is None:
            raise Uncopyable("a packet without a time")
        self._waiting.append(packet)
        return [] if packet.dts is None else self._timed(packet.dts)

    def _timed(self, known: int) -> Iterable[Packet[Any]]:
        """All that waits. Matroska does not store when a packet is decoded, and FFmpeg cannot tell it of the first."""
        waiting, self._waiting = self._waiting, []
        for ahead, packet in zip(range(len(waiting) - 1, -1, -1), waiting, strict=True):
            packet.dts = known - ahead * (packet.duration or 1) - self._late
            packet.pts = cast(int, packet.pts) - self._late
            packet.stream = self._target
            yield packet


def copy_stream(film: OutputContainer, stream: _S) -> _S:
    """A new stream of ``film`` with the parameters of ``stream``."""
    # "opaque" copies the stream's parameters without a codec between; only so the display matrix comes along.
    target = film.add_stream_from_template(stream, opaque=True)
    # PyAV 14 cannot set it; the times are then counted in 1/90000 s.
    with suppress(RuntimeError):
        target.time_base = stream.time_base
    return target


def is_end(packet: Packet[Any]) -> bool:
    """Whether ``packet`` only says that its stream is over."""
    return packet.dts is None and packet.pts is None and not packet.size


def start_of(source: OpenVideo) -> Fraction:
    """When the source begins, in seconds; 0 for one that begins before its own zero, which is an edit to be kept."""
    return Fraction(max(source.container.start_time or 0, 0), av.time_base)
