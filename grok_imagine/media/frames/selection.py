"""Which frames of a film are wanted, in the words that ComfyUI's users know."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import RequestError

HIGHEST_RATE = 1000
# In seconds: the error of times as floats.
_NEARLY = 1e-6

Which = Literal["all", "first", "last"]
_Shown = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Positions of frames, and when each is shown."""


@dataclass(frozen=True)
class SelectedFrames:
    """What a window chooses.

    ``positions`` of the frames, growing, the same one repeatedly where the rate is raised. ``rate`` is in frames
    per second; ``start`` and ``duration`` in seconds from the film's first frame on are the sound that belongs to it.
    """

    positions: NDArray[np.int64]
    rate: Fraction
    start: float
    duration: float


@dataclass(frozen=True)
class FrameSelection:
    """A part of a film. Everything is off by default; each step works on what the one before has left.

    1. ``start_seconds`` and ``duration_seconds`` (0: to the end) cut out a span of time.
    2. ``force_rate`` (0: off) repeats and drops frames so that there are so many in a second.
    3. ``skip_first_frames``, then 4. ``select_every_nth``, then 5. at most ``frame_load_cap`` frames (0: all).
    6. ``which``: all of these, or only the first or the last of them.
    """

    start_seconds: float = 0
    duration_seconds: float = 0
    force_rate: float = 0
    skip_first_frames: int = 0
    select_every_nth: int = 1
    frame_load_cap: int = 0
    which: Which = "all"

    def __post_init__(self) -> None:
        """Raises RequestError, naming every number that cannot be meant."""
        numbers = ("start_seconds", "duration_seconds", "force_rate", "skip_first_frames", "frame_load_cap")
        faults = [
            f"- {name}: {getattr(self, name)} is not a number from 0 on."
            for name in numbers
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0)
        ]
        if self.force_rate > HIGHEST_RATE:
            faults.append(f"- force_rate: {self.force_rate} is more than {HIGHEST_RATE} frames a second.")
        if self.select_every_nth < 1:
            faults.append(f"- select_every_nth: {self.select_every_nth} is not a number from 1 on.")
        if faults:
            raise RequestError("These frames cannot be loaded:\n" + "\n".join(faults))

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole film as it is."""
        return self == FrameSelection()

    def choose(self, times: NDArray[np.float64], end: float, rate: Fraction, rounding: float = 0) -> SelectedFrames:
        """Chooses from frames shown at ``times``, in seconds from the first one on; the last one ends at ``end``.

        ``rounding`` is by how many seconds the times may be rounded. Raises RequestError if nothing is left, naming the
        setting that is to blame.
        """
        nearly = max(_NEARLY, rounding)
        stop = min(end, self.start_seconds + self.duration_seconds) if self.duration_seconds else end
        if self.start_seconds > end - _NEARLY:
            raise RequestError(f"start_seconds is {self.start_seconds:g}, but the video ends at {end:.2f} s.")
        positions, shown = self._forced(times, stop, nearly) if self.force_rate else self._between(times, stop, nearly)
        if self.skip_first_frames >= len(positions):
            raise RequestError(
                f"skip_first_frames is {self.skip_first_frames}, but there are only {len(positions)} frames"
                + (" in that span of time." if self.start_seconds or self.duration_seconds else ".")
            )
        steps = slice(self.skip_first_frames, None, self.select_every_nth)
        positions, shown = positions[steps], shown[steps]
        if self.frame_load_cap and self.frame_load_cap < len(positions):
            stop = float(shown[self.frame_load_cap])
            positions, shown = positions[: self.frame_load_cap], shown[: self.frame_load_cap]
        if self.which == "first":
            stop = float(shown[1]) if len(shown) > 1 else stop
            positions, shown = positions[:1], shown[:1]
        elif self.which == "last":
            positions, shown = positions[-1:], shown[-1:]
        forced = Fraction(self.force_rate).limit_denominator(1001) if self.force_rate else rate
        start = float(shown[0])
        return SelectedFrames(positions, forced / self.select_every_nth, start, max(stop - start, 0.0))

    def _between(self, times: NDArray[np.float64], stop: float, nearly: float) -> _Shown:
        """The frames that begin in the span; if none does, the one that is seen then."""
        inside = np.flatnonzero((times >= self.start_seconds - nearly) & (times < stop - nearly))
        if not len(inside):
            inside = _seen_at(times, np.array([self.start_seconds]), nearly)
        return inside, times[inside]

    def _forced(self, times: NDArray[np.float64], stop: float, nearly: float) -> _Shown:
        """The frame that is seen at each tick of the new rate."""
        count = max(1, round((stop - self.start_seconds) * self.force_rate))
        ticks = self.start_seconds + np.arange(count) / self.force_rate
        return _seen_at(times, ticks, nearly), ticks


def moments(count: int, rate: Fraction) -> tuple[NDArray[np.float64], float]:
    """When so many frames at an even rate are shown, and when the last one is over, in seconds."""
    return np.arange(count) / float(rate), count / float(rate)


def _seen_at(times: NDArray[np.float64], moments: NDArray[np.float64], nearly: float) -> NDArray[np.int64]:
    return np.maximum(np.searchsorted(times, moments + nearly, side="right") - 1, 0)
