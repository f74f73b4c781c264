"""A decoded video: all frames in one array, audio, and times as exact fractions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


# eq=False: comparing arrays gives an array, not a bool.
@dataclass(frozen=True, eq=False)
class Audio:
    """Audio in the format of ComfyUI and torch.

    ``samples`` is float32 ``[1, channels, length]``, nominally in -1..1; ``rate`` is in samples per second.
    """

    samples: NDArray[np.float32]
    rate: int

    @property
    def duration(self) -> Fraction:
        """The length in seconds."""
        return Fraction(self.samples.shape[2], self.rate)


@dataclass(frozen=True, eq=False)
class Clip:
    """The result of :func:`~grok_imagine.media.frames.decode.decode`.

    ``frames`` is float32 ``[N, H, W, 3]``, RGB in 0..1, upright, in presentation order. ``rate`` is the average number
    of frames per second; with a variable rate each frame occurs once. ``start`` is the file time of the first frame and
    ``duration`` the time from there to the end of the last one, both in seconds. ``audio`` begins with the first frame.
    ``missing`` is the number of frames that the file should have but that could not be decoded; more than 0 means that
    it is truncated or damaged.
    """

    frames: NDArray[np.float32]
    rate: Fraction
    audio: Audio | None = None
    start: Fraction = Fraction(0)
    duration: Fraction = Fraction(0)
    missing: int = 0

    @property
    def frame_count(self) -> int:
        """The number of frames."""
        return self.frames.shape[0]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.frames.shape[2], self.frames.shape[1]
