"""The sound of a video, gathered packet by packet and laid against the picture."""

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

# Encoders fill up their last block. AAC has blocks of 1024, in its HE form of 2048.
LONGEST_PADDING = 2048
# So many seconds before a sound are decoded with it: AAC and Opus overlap their blocks, and Opus asks for 80 ms.
# Source: RFC 7845, section 4.6.
SETTLING = Fraction(1, 10)


class SoundTrack:
    """Collects the samples of one audio stream as planar float32.

    A packet that cannot be decoded is left out. If the format changes on the way, what follows is converted to the
    channels and the rate of the beginning.
    """

    def __init__(self, stream: AudioStream) -> None:
        base = fraction(stream.time_base)
        self._promised = stream.duration * base if stream.duration and base else None
        self._pieces: list[NDArray[np.float32]] = []
        self._resampler = AudioResampler(format="fltp")
        self._kind: tuple[str, str, int] | None = None
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
            self._keep(self._resampler.resample(frame))

    @property
    def reached(self) -> Fraction | None:
        """The time in seconds that the samples so far come to; None without any, or without time stamps."""
        if self._start is None or not self._rate:
            return None
        return self._start + Fraction(sum(piece.shape[1] for piece in self._pieces), self._rate)

    def between(self, start: Fraction, duration: Fraction) -> Audio | None:
        """The sound from ``start`` on, for as long as ``duration``, both in seconds; None if it ends before that."""
        self._keep(self._resampler.resample(None))
        if not self._pieces:
            return None
        samples = np.concatenate(self._pieces, axis=1)
        late = (self._start if self._start is not None else start) - start
        samples = _shift(samples, round(late * self._rate))[:, : round(duration * self._rate)]
        return Audio(samples[np.newaxis], self._rate) if samples.shape[1] else None

    def finish(self, start: Fraction, duration: Fraction) -> Audio | None:
        """The sound that belongs to a picture from ``start`` on, both in seconds; None if there is none.

        Silence is put before sound that begins later than the picture, and what sounds before the picture goes. A
        difference longer than the picture's ``duration`` is taken for a damaged time stamp, and left alone.
        """
        self._keep(self._resampler.resample(None))
        if not self._pieces:
            return None
        samples = np.concatenate(self._pieces, axis=1)
        samples = samples[:, : self._end(samples.shape[1])]
        late = (self._start if self._start is not None else start) - start
        if abs(late) <= duration:
            samples = _shift(samples, round(late * self._rate))
        return Audio(samples[np.newaxis], self._rate) if samples.shape[1] else None

    def _adapt(self, frame: AudioFrame) -> None:
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._kind is None:
            _, self._layout, self._rate = kind
            base = fraction(frame.time_base)
            self._start = frame.pts * base if frame.pts is not None and base else None
        elif kind != self._kind:
            self._keep(self._resampler.resample(None))
            self._resampler = AudioResampler(format="fltp", layout=self._layout, rate=self._rate)
        self._kind = kind

    def _keep(self, frames: Sequence[AudioFrame | None]) -> None:
        # A resampler with nothing to do hands back what it was given, and None to flush is handed back as well.
        for frame in frames:
            if frame is not None:
                self._pieces.append(frame.to_ndarray().astype(np.float32, copy=False))

    def _end(self, length: int) -> int:
        """The length without the padding of the last block, which the header does not count."""
        promised = round(self._promised * self._rate) if self._promised else length
        return promised if 0 < length - promised <= LONGEST_PADDING else length


def sound_between(
    source: OpenVideo, start: Fraction, duration: Fraction, should_stop: Callable[[], bool] | None = None
) -> Audio | None:
    """The sound of ``source`` from ``start`` on, for as long as ``duration``, both in seconds of the file's own time.

    Nothing before it is decoded but what the codec needs to settle. None if there is no sound there.
    """
    if source.audio is None:
        return None
    track, end, base = SoundTrack(source.audio), start + duration, fraction(source.audio.time_base)
    if base and start > SETTLING:
        # Where a file cannot be seeked, it is read from its beginning.
        with suppress(FFmpegError):
            source.container.seek(int((start - SETTLING) / base), stream=source.audio, backward=True)
    for packet in source.container.demux(source.audio):
        if should_stop is not None and should_stop():
            raise DecodeStopped
        track.add(packet)
        if (reached := track.reached) is not None and reached >= end:
            break
    return track.between(start, duration)


def _shift(samples: NDArray[np.float32], late: int) -> NDArray[np.float32]:
    if late <= 0:
        return samples[:, -late:]
    return np.pad(samples, ((0, 0), (late, 0)))
