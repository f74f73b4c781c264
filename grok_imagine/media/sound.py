"""The sound of a video, gathered packet by packet and laid against the picture."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.error import InvalidDataError
from av.packet import Packet
from numpy.typing import NDArray

from .clip import Audio
from .opening import fraction

# Encoders fill up their last block. AAC has blocks of 1024, in its HE form of 2048.
LONGEST_PADDING = 2048


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


def _shift(samples: NDArray[np.float32], late: int) -> NDArray[np.float32]:
    if late <= 0:
        return samples[:, -late:]
    return np.pad(samples, ((0, 0), (late, 0)))
