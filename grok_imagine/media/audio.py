"""Decodes a video's audio packet by packet and aligns it with the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from typing import Any, cast

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet
from numpy.typing import NDArray

from .clip import Audio
from .open import OpenVideo, decode_packet, fraction, is_read_in_order
from .stop import ShouldStop, check_stop

# PyAV counts a planar frame's planes up to the first null pointer. With 8 channels there is none, and reading what
# follows crashes the process.
_MAX_PLANES = 7
# In samples. Encoders pad their last block: 1024 samples for AAC, 2048 for HE-AAC.
LONGEST_PADDING = 2048
# Seconds of audio to decode before the wanted range: AAC and Opus overlap their blocks, and Opus needs 80 ms.
# Source: RFC 7845, section 4.6.
PREROLL = Fraction(1, 10)
# In seconds. Time stamps that differ less from the samples before are rounded or jitter, and are ignored.
JITTER = Fraction(1, 50)
# In seconds. A time stamp that goes back further begins anew, as after a splice, and overlaps nothing.
LONGEST_OVERLAP = Fraction(1)

Samples = NDArray[np.float32]
"""Planar, ``[channels, length]``."""
Piece = tuple[int, Samples]
"""Samples, and where they belong: the number of samples since the first one."""


class AudioDecoder:
    """Decodes the packets of one audio stream to planar float32, each piece where its time stamps put it.

    Packets that cannot be decoded are skipped. All samples are converted to ``layout`` and ``rate``, by default those
    of the first frame. ``start`` is the time of the first sample in seconds of file time; None without time stamps.
    """

    def __init__(self, layout: str = "", rate: int = 0) -> None:
        self.rate = rate
        self.start: Fraction | None = None
        self._layout = layout
        self._channels = 0
        self._resampler: AudioResampler | None = None
        self._format: tuple[str, str, int] | None = None
        # Of the next sample: its place, and its time in seconds after the first one as the samples so far say.
        self._place = 0
        self._time = Fraction(0)
        # What is subtracted from time stamps, in seconds.
        self._zero: Fraction | None = None
        self._overlap = 0

    def decode(self, packet: Packet[AudioStream]) -> Iterator[Piece]:
        """The samples of a packet; of the last, empty one those that are held back, too."""
        for frame in decode_packet(packet):
            yield from self._convert(frame)
        if packet.dts is None and not packet.size:
            yield from self.flush()

    def flush(self) -> Iterator[Piece]:
        """The samples that the conversion holds back."""
        if self._resampler is not None:
            yield from self._cut(self._resampler.resample(None))
        self._resampler = None

    def _convert(self, frame: AudioFrame) -> Iterator[Piece]:
        audio_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        if not self.rate or not self._layout:
            self._layout, self.rate = self._layout or frame.layout.name, self.rate or frame.sample_rate
            self._channels = frame.layout.nb_channels
        jump = self._jump(frame)
        if self._resampler is None or audio_format != self._format or jump:
            yield from self.flush()
            self._resampler, self._format = self._new_resampler(frame), audio_format
            self._time += jump
            place = round(self._time * self.rate)
            # Back to samples that are there already: those stay.
            self._overlap = max(self._place - place, 0)
            self._place = max(self._place, place)
        self._time += Fraction(frame.samples, frame.sample_rate)
        yield from self._cut(self._resampler.resample(frame))

    def _new_resampler(self, frame: AudioFrame) -> AudioResampler:
        # FFmpeg takes no name for a layout without one, such as "4 channels".
        layout = None if frame.layout.name == self._layout else self._layout
        is_packed = max(self._channels, frame.layout.nb_channels) > _MAX_PLANES
        return AudioResampler(
            format="flt" if is_packed else "fltp",
            layout=layout,
            rate=None if frame.sample_rate == self.rate else self.rate,
        )

    def _jump(self, frame: AudioFrame) -> Fraction:
        """By how many seconds the frame does not follow the samples before it: a gap is positive, an overlap not."""
        base = fraction(frame.time_base)
        if frame.pts is None or base is None:
            return Fraction(0)
        time = frame.pts * base
        if self._zero is None:
            self._zero = time - self._time
            self.start = self._zero
        jump = time - self._zero - self._time
        if jump < -LONGEST_OVERLAP:
            self._zero, jump = time - self._time, Fraction(0)
        tolerance = max(min(JITTER, Fraction(frame.samples, 2 * frame.sample_rate)), 2 * base)
        return jump if abs(jump) > tolerance else Fraction(0)

    def _cut(self, frames: Sequence[AudioFrame | None]) -> Iterator[Piece]:
        # A resampler without a conversion returns its input unchanged, including the None that flushes it.
        for frame in frames:
            if frame is None:
                continue
            samples = cast(Any, frame.to_ndarray()).astype(np.float32, copy=False)
            if not frame.format.is_planar:
                samples = np.ascontiguousarray(samples.reshape(-1, frame.layout.nb_channels).T)
            cut = min(self._overlap, samples.shape[1])
            self._overlap -= cut
            if cut < samples.shape[1]:
                yield self._place, samples[:, cut:]
            self._place += samples.shape[1] - cut


class AudioCollector:
    """Collects the samples of one audio stream. Gaps, such as lost packets, become silence.

    ``layout`` and ``rate`` are those of :class:`AudioDecoder`.
    """

    def __init__(self, stream: AudioStream, layout: str = "", rate: int = 0) -> None:
        base = fraction(stream.time_base)
        self._header_duration = stream.duration * base if stream.duration and base else None
        self._decoder = AudioDecoder(layout, rate)
        self._pieces: list[Piece] = []

    def add(self, packet: Packet[AudioStream]) -> None:
        """Decodes one packet."""
        self._pieces += self._decoder.decode(packet)

    @property
    def end_time(self) -> Fraction | None:
        """The end of the samples so far, in seconds of file time; None without samples or time stamps."""
        if self._decoder.start is None or not self._pieces:
            return None
        place, samples = self._pieces[-1]
        return self._decoder.start + Fraction(place + samples.shape[1], self._decoder.rate)

    def read_range(self, start: Fraction, duration: Fraction) -> Audio | None:
        """The audio from ``start`` for ``duration``, both in seconds; None if the audio ends before ``start``."""
        self._pieces += self._decoder.flush()
        rate = self._decoder.rate
        first, length = self._place_at(start), round(duration * rate)
        inside = [piece for piece in self._pieces if piece[0] < first + length]
        samples = _assemble(inside, first, first + length)
        if len(inside) < len(self._pieces):
            # The range ends in a gap.
            samples = samples if samples is not None else self._pieces[0][1][:, :0]
            samples = np.pad(samples, ((0, 0), (0, max(length - samples.shape[1], 0))))
        return Audio(samples[np.newaxis, :, :length], rate) if samples is not None and length else None

    def finish(self, start: Fraction, duration: Fraction) -> Audio | None:
        """All audio, aligned to a picture of ``duration`` that begins at ``start``, both in seconds; None if empty.

        Audio that begins later gets silence before it; audio before the picture is cut. An offset longer than
        ``duration`` is treated as a damaged time stamp and ignored.
        """
        self._pieces += self._decoder.flush()
        rate = self._decoder.rate
        first, length = self._place_at(start), round(duration * rate)
        first = first if abs(first) <= length else 0
        samples = _assemble(self._pieces, first, first + length)
        if samples is None:
            return None
        # The header does not count the padding of the last block.
        known = round(self._header_duration * rate) - first if self._header_duration else samples.shape[1]
        if 0 < samples.shape[1] - known <= LONGEST_PADDING:
            samples = samples[:, :known]
        return Audio(samples[np.newaxis], rate) if samples.shape[1] else None

    def _place_at(self, start: Fraction) -> int:
        """The place of the sample at ``start``, a time in seconds of file time."""
        known = self._decoder.start
        return round((start - known) * self._decoder.rate) if known is not None else 0


def _assemble(pieces: Sequence[Piece], first: int, end: int) -> Samples | None:
    """All samples from the place ``first`` on, with silence in gaps that end before ``end``; None for none."""
    made: list[Samples] = []
    place = first
    for at, samples in pieces:
        if place < at < end:
            made.append(np.zeros((samples.shape[0], at - place), np.float32))
            place = at
        cut = max(min(place - at, samples.shape[1]), 0) if at < end else 0
        made.append(samples[:, cut:])
        place += samples.shape[1] - cut
    joined = np.concatenate(made, axis=1) if made else None
    return joined if joined is not None and joined.shape[1] else None


def read_audio(
    source: OpenVideo, start: Fraction, duration: Fraction, should_stop: ShouldStop | None = None
) -> Audio | None:
    """The audio of ``source`` from ``start`` for ``duration``, both in seconds of file time; None if there is none.

    Seeks to the range and decodes only PREROLL before it. Raises DecodeStopped.
    """
    if source.audio is None:
        return None
    track, end, base = AudioCollector(source.audio), start + duration, fraction(source.audio.time_base)
    if base and start > PREROLL and not is_read_in_order(source):
        # A file that cannot seek is read from its beginning.
        with suppress(FFmpegError):
            source.container.seek(int((start - PREROLL) / base), stream=source.audio, backward=True)
    for packet in source.container.demux(source.audio):
        check_stop(should_stop)
        track.add(packet)
        if (reached := track.end_time) is not None and reached >= end:
            break
    return track.read_range(start, duration)
