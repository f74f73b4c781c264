"""A decoded video: all its frames in one array, its sound, and its times as exact fractions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


# Compared by identity: arrays have no single truth value.
@dataclass(frozen=True, eq=False)
class Audio:
    """Sound as ComfyUI and torch expect it.

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
    """What :func:`~grok_imagine.media.frames.decode.decode` makes of a file.

    ``frames`` is float32 ``[N, H, W, 3]``, RGB in 0..1, upright, in the order of presentation. ``rate`` is the
    average number of frames per second: a film with a variable rate keeps each of its frames once. ``start`` is
    the time of the first frame in the file and ``duration`` the time from there to the end of the last one, both
    in seconds. The first sample of ``audio`` sounds with the first frame. ``missing`` counts the frames that the
    file promised and did not give: more than 0 says that it is truncated or damaged.
    """

    frames: NDArray[np.float32]
    rate: Fraction
    audio: Audio | None = None
    start: Fraction = Fraction(0)
    duration: Fraction = Fraction(0)
    missing: int = 0

    @property
    def frame_count(self) -> int:
        """How many frames there are."""
        return self.frames.shape[0]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.frames.shape[2], self.frames.shape[1]
