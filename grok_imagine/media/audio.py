"""Decodes a video's audio packet by packet and aligns it with the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet
from numpy.typing import NDArray

from .clip import Audio
from .frames.index import DecodeStopped
from .open import OpenVideo, fraction

# In samples. Encoders pad their last block: 1024 samples for AAC, 2048 for HE-AAC.
LONGEST_PADDING = 2048
# Seconds of audio to decode before the wanted range: AAC and Opus overlap their blocks, and Opus needs 80 ms.
# Source: RFC 7845, section 4.6.
PREROLL = Fraction(1, 10)


class AudioCollector:
    """Collects the samples of one audio stream as planar float32.

    Packets that cannot be decoded are skipped. If the format changes, later samples are converted to the first one's
    channels and rate.
    """

    def __init__(self, stream: AudioStream) -> None:
        base = fraction(stream.time_base)
        self._header_duration = stream.duration * base if stream.duration and base else None
        self._chunks: list[NDArray[np.float32]] = []
        self._resampler = AudioResampler(format="fltp")
        self._format: tuple[str, str, int] | None = None
        self._layout = ""
        self._rate = 0
        self._start: Fraction | None = None

    def add(self, packet: Packet[AudioStream]) -> None:
        """Decodes one packet."""
        try:
            frames = packet.decode()
        except InvalidDataError:
            return
        for frame in frames:
            self._adapt(frame)
            self._append(self._resampler.resample(frame))

    @property
    def end_time(self) -> Fraction | None:
        """The end of the samples so far, in seconds of file time; None without samples or time stamps."""
        if self._start is None or not self._rate:
            return None
        return self._start + Fraction(sum(piece.shape[1] for piece in self._chunks), self._rate)

    def read_range(self, start: Fraction, duration: Fraction) -> Audio | None:
        """The audio from ``start`` for ``duration``, both in seconds; None if the audio ends before ``start``."""
        self._append(self._resampler.resample(None))
        if not self._chunks:
            return None
        samples = np.concatenate(self._chunks, axis=1)
        offset = (self._start if self._start is not None else start) - start
        samples = _shift(samples, round(offset * self._rate))[:, : round(duration * self._rate)]
        return Audio(samples[np.newaxis], self._rate) if samples.shape[1] else None

    def finish(self, start: Fraction, duration: Fraction) -> Audio | None:
        """All audio, aligned to a picture of ``duration`` that begins at ``start``, both in seconds; None if empty.

        Audio that begins later gets silence before it; audio before the picture is cut. An offset longer than
        ``duration`` is treated as a damaged time stamp and ignored.
        """
        self._append(self._resampler.resample(None))
        if not self._chunks:
            return None
        samples = np.concatenate(self._chunks, axis=1)
        samples = samples[:, : self._length_without_padding(samples.shape[1])]
        offset = (self._start if self._start is not None else start) - start
        if abs(offset) <= duration:
            samples = _shift(samples, round(offset * self._rate))
        return Audio(samples[np.newaxis], self._rate) if samples.shape[1] else None

    def _adapt(self, frame: AudioFrame) -> None:
        audio_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._format is None:
            _, self._layout, self._rate = audio_format
            base = fraction(frame.time_base)
            self._start = frame.pts * base if frame.pts is not None and base else None
        elif audio_format != self._format:
            self._append(self._resampler.resample(None))
            self._resampler = AudioResampler(format="fltp", layout=self._layout, rate=self._rate)
        self._format = audio_format

    def _append(self, frames: Sequence[AudioFrame | None]) -> None:
        # A resampler without a conversion returns its input unchanged, including the None that flushes it.
        for frame in frames:
            if frame is not None:
                self._chunks.append(frame.to_ndarray().astype(np.float32, copy=False))

    def _length_without_padding(self, length: int) -> int:
        """The number of samples without the padding of the last block, which the header does not count."""
        header_length = round(self._header_duration * self._rate) if self._header_duration else length
        return header_length if 0 < length - header_length <= LONGEST_PADDING else length


def read_audio(
    source: OpenVideo, start: Fraction, duration: Fraction, should_stop: Callable[[], bool] | None = None
) -> Audio | None:
    """The audio of ``source`` from ``start`` for ``duration``, both in seconds of file time; None if there is none.

    Seeks to the range and decodes only PREROLL before it. Raises DecodeStopped.
    """
    if source.audio is None:
        return None
    track, end, base = AudioCollector(source.audio), start + duration, fraction(source.audio.time_base)
    if base and start > PREROLL:
        # A file that cannot seek is read from its beginning.
        with suppress(FFmpegError):
            source.container.seek(int((start - PREROLL) / base), stream=source.audio, backward=True)
    for packet in source.container.demux(source.audio):
        if should_stop is not None and should_stop():
            raise DecodeStopped
        track.add(packet)
        if (reached := track.end_time) is not None and reached >= end:
            break
    return track.read_range(start, duration)


def _shift(samples: NDArray[np.float32], offset: int) -> NDArray[np.float32]:
    if offset <= 0:
        return samples[:, -offset:]
    return np.pad(samples, ((0, 0), (offset, 0)))
