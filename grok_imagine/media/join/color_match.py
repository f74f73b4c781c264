"""Hides the seams of joined clips: corrects color drift, matches loudness and cross-fades audio."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .seam_figures import WINDOW, loudness
from .segments import Packed, planes

# Invisible differences of the means of Y, U and V, in 8-bit steps: encoders change more between two frames.
UNSEEN = (0.6, 0.4, 0.4)
# Beyond these, the two frames do not show the same, and matching them would do harm.
LEAST_LIKENESS, GAINS, MOST_SHIFT = 0.8, (0.75, 1.33), 40.0
# The contrast of a flatter plane cannot be measured.
LEAST_CONTRAST = 2.0
# A local difference (such as darker edges) is not linear. What remains of it, at 1/COARSE of the size, fades out within
# EASE frames.
EASE, COARSE = 24, 24


# In LU: an inaudible step, and the largest gain.
UNHEARD, MOST_GAIN = 0.5, 9.0
EASE_SECONDS = 2.0

Line = tuple[float, float]
"""A linear function, as gain and shift."""
SAME: Line = (1.0, 0.0)


@dataclass(frozen=True)
class ColorMatch:
    """How a clip's colors differ from those of the previous clip, and how to correct that.

    ``drift`` is the difference of the means of Y, U and V, in 8-bit steps. ``lines`` correct it for the whole clip.
    ``rest`` is the remaining difference per pixel, blurred; it fades out over the first EASE frames.
    """

    drift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    lines: tuple[Line, Line, Line] = (SAME, SAME, SAME)
    rest: tuple[NDArray[np.float32], ...] | None = None

    @property
    def is_needed(self) -> bool:
        """Whether the colors of the whole clip are changed."""
        return any(line != SAME for line in self.lines)

    @cached_property
    def _tables(self) -> list[NDArray[np.float32]]:
        return [np.arange(256, dtype=np.float32) * np.float32(gain) + np.float32(shift) for gain, shift in self.lines]

    def apply(self, picture: Packed, age: int) -> Packed:
        """The clip's frame number ``age``, with corrected colors."""
        share = 1 - (age + 1) / EASE if self.rest is not None else 0.0
        if not self.is_needed and share <= 0:
            return picture
        corrected = np.empty_like(picture)
        rest = self.rest if self.rest is not None and share > 0 else (None, None, None)
        for table, plane, residual, target in zip(self._tables, planes(picture), rest, planes(corrected), strict=True):
            values = np.take(table, plane)
            if residual is not None:
                values += residual * np.float32(share)
            target[:] = np.rint(np.clip(values, 0, 255, out=values), out=values)
        return corrected


@dataclass(frozen=True)
class Ending:
    """The last frame of the previous clip: as decoded, as corrected, and the correction."""

    raw: Packed
    shown: Packed
    match: ColorMatch


def match(before: Ending | None, after: Packed, *, is_repeated: bool) -> ColorMatch:
    """The color correction for the clip whose frame ``after`` follows ``before``; none if these show different scenes.

    Corrections of earlier clips are included, so that a drift that adds up over many clips is corrected too.
    ``is_repeated``: ``after`` is the same frame as ``before``, not the next one.
    """
    if before is None:
        return ColorMatch()
    pairs = list(zip(planes(before.raw), planes(after), strict=True))
    drift = tuple(float(new.mean() - old.mean()) for old, new in pairs)
    drifts = (drift[0], drift[1], drift[2])
    if not _is_alike(*pairs[0]):
        return ColorMatch(drifts)
    own: list[Line] = [SAME, SAME, SAME]
    if any(abs(difference) > limit for difference, limit in zip(drifts, UNSEEN, strict=True)):
        fitted = [_line(old, new) for old, new in pairs]
        if any(line is None for line in fitted):
            return ColorMatch(drifts)
        own = [line or SAME for line in fitted]
    total = [
        (gain * first[0], gain * first[1] + shift) for first, (gain, shift) in zip(own, before.match.lines, strict=True)
    ]
    lines = (total[0], total[1], total[2])
    if not is_repeated:
        return ColorMatch(drifts, lines)
    return ColorMatch(drifts, lines, _rest(before.shown, ColorMatch(drifts, lines).apply(after, EASE)))


def _rest(wanted: Packed, actual: Packed) -> tuple[NDArray[np.float32], ...]:
    """The blurred difference of two frames of the same content, per plane: light and shade without edges."""
    residuals: list[NDArray[np.float32]] = []
    for wanted_plane, actual_plane in zip(planes(wanted), planes(actual), strict=True):
        height, width = wanted_plane.shape
        difference = Image.fromarray(wanted_plane.astype(np.float32) - actual_plane.astype(np.float32))
        small = difference.resize((max(1, width // COARSE), max(1, height // COARSE)), Image.Resampling.BOX)
        residuals.append(np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), np.float32))
    return tuple(residuals)


def _is_alike(old: Packed, new: Packed) -> bool:
    """Whether two planes show the same, by their correlation, which ignores brightness and contrast."""
    first, second = _centered(old[::4, ::4].astype(np.float32)), _centered(new[::4, ::4].astype(np.float32))
    product = _norm(first) * _norm(second)
    flat = LEAST_CONTRAST**2 * first.size
    return product < flat or float((first * second).sum()) / product >= LEAST_LIKENESS


def _line(old: Packed, new: Packed) -> Line | None:
    """The linear function from the mean and contrast of ``new`` to those of ``old``; None if it would do harm."""
    actual, wanted = float(new.std()), float(old.std())
    gain = wanted / actual if min(actual, wanted) >= LEAST_CONTRAST else 1.0
    shift = float(old.mean() - new.mean())
    if not GAINS[0] <= gain <= GAINS[1] or abs(shift) > MOST_SHIFT:
        return None
    return gain, float(old.mean()) - gain * float(new.mean())


def fade(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float32]:
    """A cross-fade ``[C, N]`` from ``before`` to ``after``.

    To keep the loudness, it has equal power for different audio (the squares of both gains add up to 1), and equal gain
    for the same audio, which the later clip repeats (the gains add up to 1).
    """
    along = (np.arange(before.shape[1], dtype=np.float32) + 0.5) / before.shape[1]
    product = _norm(before) * _norm(after)
    is_same = product > 0 and float((before * after).sum()) / product > 0.5
    fall, rise = (1 - along, along) if is_same else (np.cos(along * np.pi / 2), np.sin(along * np.pi / 2))
    return (before * fall + after * rise).astype(np.float32)


def match_loudness(before: NDArray[np.float32], after: NDArray[np.float32], begin: int, rate: int) -> None:
    """Make ``after``, ``[C, N]``, as loud from sample ``begin`` on as the end of ``before``. Changes it in place.

    The gain is at most MOST_GAIN LU. It is constant for WINDOW seconds, and then fades out within EASE_SECONDS.
    """
    window = round(WINDOW * rate)
    wanted, found = loudness(before[:, -window:], rate), loudness(after[:, begin : begin + window], rate)
    if wanted is None or found is None or abs(wanted - found) < UNHEARD:
        return
    along = (np.arange(after.shape[1], dtype=np.float32) - begin - window) / (EASE_SECONDS * rate)
    share = 0.5 + 0.5 * np.cos(np.pi * np.clip(along, 0, 1))
    gain = min(max(wanted - found, -MOST_GAIN), MOST_GAIN)
    after *= np.power(np.float32(10), share * np.float32(gain / 20))


def _centered(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values - values.mean()


def _norm(values: NDArray[np.float32]) -> float:
    return float(np.sqrt((values * values).sum()))
