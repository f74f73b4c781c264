"""Selects frames of a video, with the option names that ComfyUI's users know."""

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
_TOLERANCE = 1e-6

Which = Literal["all", "first", "last"]
_Shown = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Positions of frames, and the time at which each is shown in seconds."""


@dataclass(frozen=True)
class SelectedFrames:
    """The result of a selection.

    ``positions`` are those of the frames, int64 ``[N]``, ascending; a higher rate repeats some. ``rate`` is in frames
    per second. ``start`` (after the video's first frame) and ``duration``, in seconds, are the range of its audio.
    """

    positions: NDArray[np.int64]
    rate: Fraction
    start: float
    duration: float


@dataclass(frozen=True)
class FrameSelection:
    """A selection of frames. Everything is off by default. Each step applies to the result of the previous one.

    1. ``start_seconds`` and ``duration_seconds`` (0: to the end) select a time span.
    2. ``force_rate`` (0: off) repeats and drops frames to get this frame rate.
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
        """Raises RequestError that lists every invalid value."""
        numbers = ("start_seconds", "duration_seconds", "force_rate", "skip_first_frames", "frame_load_cap")
        faults = [
            f"- {name}: {getattr(self, name)} is not a number of 0 or more."
            for name in numbers
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0)
        ]
        if self.force_rate > HIGHEST_RATE:
            faults.append(f"- force_rate: {self.force_rate} is more than {HIGHEST_RATE} frames per second.")
        if self.select_every_nth < 1:
            faults.append(f"- select_every_nth: {self.select_every_nth} is not a number of 1 or more.")
        if faults:
            raise RequestError("These frames cannot be loaded:\n" + "\n".join(faults))

    @property
    def is_whole(self) -> bool:
        """Whether all frames are selected, unchanged."""
        return self == FrameSelection()

    def choose(self, times: NDArray[np.float64], end: float, rate: Fraction, rounding: float = 0) -> SelectedFrames:
        """Select from frames shown at ``times``, in seconds after the first one; the last one ends at ``end``.

        The times may be rounded by up to ``rounding`` seconds. Raises RequestError, which names the option, if no frame
        is left.
        """
        tolerance = max(_TOLERANCE, rounding)
        stop = min(end, self.start_seconds + self.duration_seconds) if self.duration_seconds else end
        if self.start_seconds > end - _TOLERANCE:
            raise RequestError(f"start_seconds is {self.start_seconds:g}, but the video ends at {end:.2f} s.")
        select = self._at_rate if self.force_rate else self._between
        positions, shown = select(times, stop, tolerance)
        if self.skip_first_frames >= len(positions):
            raise RequestError(
                f"skip_first_frames is {self.skip_first_frames}, but there are only {len(positions)} frames"
                + (" in that time span." if self.start_seconds or self.duration_seconds else ".")
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
        new_rate = Fraction(self.force_rate).limit_denominator(1001) if self.force_rate else rate
        start = float(shown[0])
        return SelectedFrames(positions, new_rate / self.select_every_nth, start, max(stop - start, 0.0))

    def _between(self, times: NDArray[np.float64], stop: float, tolerance: float) -> _Shown:
        """The frames that begin in the time span; if none does, the one that is visible at its start."""
        inside = np.flatnonzero((times >= self.start_seconds - tolerance) & (times < stop - tolerance))
        if not len(inside):
            inside = _visible_at(times, np.array([self.start_seconds]), tolerance)
        return inside, times[inside]

    def _at_rate(self, times: NDArray[np.float64], stop: float, tolerance: float) -> _Shown:
        """The frame that is visible at each tick of the new rate."""
        count = max(1, round((stop - self.start_seconds) * self.force_rate))
        ticks = self.start_seconds + np.arange(count) / self.force_rate
        return _visible_at(times, ticks, tolerance), ticks


def moments(count: int, rate: Fraction) -> tuple[NDArray[np.float64], float]:
    """The times at which ``count`` frames of a constant rate are shown, and the end of the last one, in seconds."""
    return np.arange(count) / float(rate), count / float(rate)


def _visible_at(times: NDArray[np.float64], moments: NDArray[np.float64], tolerance: float) -> NDArray[np.int64]:
    return np.maximum(np.searchsorted(times, moments + tolerance, side="right") - 1, 0)
