"""What hides a seam: colours that drifted are brought back, one sound fades into the next and begins as loud."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .seam_figures import WINDOW, loudness
from .segments import Packed, planes

# Differences of the mean, in steps of 8 bits, that no one sees: a step of luma, less of colour, is below what an
# encoder itself changes between two frames.
UNSEEN = (0.6, 0.4, 0.4)
# Past these, the two pictures do not show the same, and to match them would do harm.
LEAST_LIKENESS, GAINS, MOST_SHIFT = 0.8, (0.75, 1.33), 40.0
# Too flat a plane has no contrast that could be measured.
LEAST_CONTRAST = 2.0
# A light that differs from place to place (a darker rim) is no straight line: what is left of it, seen at 1/24 of the
# size, goes within this many frames.
EASE, COARSE = 24, 24


# In LU: a step that no one hears, and the most that is corrected. What differs more is meant to.
UNHEARD, MOST_GAIN = 0.5, 9.0
EASE_SECONDS = 2.0

Line = tuple[float, float]
"""A straight line, as gain and shift."""
SAME: Line = (1.0, 0.0)


@dataclass(frozen=True)
class ColorMatch:
    """How a part's colours differed from those of the part before, and what brings them to those of the film.

    ``drift`` is the difference of the means of Y, U and V, in steps of 8 bits. ``lines`` undo it for the whole part.
    ``rest`` is what they leave, as a coarse picture of differences: it fades out over the first EASE frames.
    """

    drift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    lines: tuple[Line, Line, Line] = (SAME, SAME, SAME)
    rest: tuple[NDArray[np.float32], ...] | None = None

    @property
    def is_needed(self) -> bool:
        """Whether the colours of the whole part are changed."""
        return any(line != SAME for line in self.lines)

    @cached_property
    def _tables(self) -> list[NDArray[np.float32]]:
        return [np.arange(256, dtype=np.float32) * np.float32(gain) + np.float32(shift) for gain, shift in self.lines]

    def apply(self, picture: Packed, age: int) -> Packed:
        """The part's picture number ``age``, in the colours of the film."""
        share = 1 - (age + 1) / EASE if self.rest is not None else 0.0
        if not self.is_needed and share <= 0:
            return picture
        made = np.empty_like(picture)
        rest = self.rest if self.rest is not None and share > 0 else (None, None, None)
        for table, plane, left, place in zip(self._tables, planes(picture), rest, planes(made), strict=True):
            values = np.take(table, plane)
            if left is not None:
                values += left * np.float32(share)
            place[:] = np.rint(np.clip(values, 0, 255, out=values), out=values)
        return made


@dataclass(frozen=True)
class Ending:
    """The last picture of the part before: as it came, as it is in the film, and what lies between."""

    raw: Packed
    shown: Packed
    match: ColorMatch


def match(before: Ending | None, after: Packed, *, is_repeated: bool) -> ColorMatch:
    """What brings ``after`` to the colours of the film. Nothing where it shows something else than ``before``.

    A part is judged by the one that it was made from, so that a drift that adds up over many parts is undone, too.
    ``is_repeated`` says that ``after`` is the very picture that ``before`` is, and not the next one.
    """
    if before is None:
        return ColorMatch()
    pairs = list(zip(planes(before.raw), planes(after), strict=True))
    drift = tuple(float(new.mean() - old.mean()) for old, new in pairs)
    told = (drift[0], drift[1], drift[2])
    if not _is_alike(*pairs[0]):
        return ColorMatch(told)
    own: list[Line] = [SAME, SAME, SAME]
    if any(abs(one) > limit for one, limit in zip(told, UNSEEN, strict=True)):
        found = [_line(old, new) for old, new in pairs]
        if any(line is None for line in found):
            return ColorMatch(told)
        own = [line or SAME for line in found]
    total = [
        (gain * first[0], gain * first[1] + shift) for first, (gain, shift) in zip(own, before.match.lines, strict=True)
    ]
    lines = (total[0], total[1], total[2])
    if not is_repeated:
        return ColorMatch(told, lines)
    return ColorMatch(told, lines, _rest(before.shown, ColorMatch(told, lines).apply(after, EASE)))


def _rest(wanted: Packed, has: Packed) -> tuple[NDArray[np.float32], ...]:
    """What is left between two pictures of the same, without its details: light and shade, not edges."""
    left: list[NDArray[np.float32]] = []
    for one, other in zip(planes(wanted), planes(has), strict=True):
        height, width = one.shape
        off = Image.fromarray(one.astype(np.float32) - other.astype(np.float32))
        small = off.resize((max(1, width // COARSE), max(1, height // COARSE)), Image.Resampling.BOX)
        left.append(np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), np.float32))
    return tuple(left)


def _is_alike(old: Packed, new: Packed) -> bool:
    """Whether two planes show the same, whatever their brightness and contrast."""
    first, second = _spread(old[::4, ::4].astype(np.float32)), _spread(new[::4, ::4].astype(np.float32))
    sizes = _size(first) * _size(second)
    flat = LEAST_CONTRAST**2 * first.size
    return sizes < flat or float((first * second).sum()) / sizes >= LEAST_LIKENESS


def _line(old: Packed, new: Packed) -> Line | None:
    """The straight line from one plane's mean and contrast to the other's; None for one that would do harm."""
    has, wants = float(new.std()), float(old.std())
    gain = wants / has if min(has, wants) >= LEAST_CONTRAST else 1.0
    shift = float(old.mean() - new.mean())
    if not GAINS[0] <= gain <= GAINS[1] or abs(shift) > MOST_SHIFT:
        return None
    return gain, float(old.mean()) - gain * float(new.mean())


def fade(before: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float32]:
    """``[C, N]`` that begins as ``before`` and ends as ``after``.

    Two different sounds keep their loudness when the squares of their shares make 1; the same sound, which the later
    part repeats, when the shares themselves do.
    """
    along = (np.arange(before.shape[1], dtype=np.float32) + 0.5) / before.shape[1]
    sizes = _size(before) * _size(after)
    is_same = sizes > 0 and float((before * after).sum()) / sizes > 0.5
    fall, rise = (1 - along, along) if is_same else (np.cos(along * np.pi / 2), np.sin(along * np.pi / 2))
    return (before * fall + after * rise).astype(np.float32)


def match_loudness(before: NDArray[np.float32], after: NDArray[np.float32], begin: int, rate: int) -> None:
    """Let the sound of ``after``, ``[C, N]``, be as loud from ``begin`` on as the end of ``before``. In place.

    The gain is at most MOST_GAIN. It holds for the length of one measurement and goes within EASE_SECONDS.
    """
    window = round(WINDOW * rate)
    wanted, found = loudness(before[:, -window:], rate), loudness(after[:, begin : begin + window], rate)
    if wanted is None or found is None or abs(wanted - found) < UNHEARD:
        return
    along = (np.arange(after.shape[1], dtype=np.float32) - begin - window) / (EASE_SECONDS * rate)
    share = 0.5 + 0.5 * np.cos(np.pi * np.clip(along, 0, 1))
    gain = min(max(wanted - found, -MOST_GAIN), MOST_GAIN)
    after *= np.power(np.float32(10), share * np.float32(gain / 20))


def _spread(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values - values.mean()


def _size(values: NDArray[np.float32]) -> float:
    return float(np.sqrt((values * values).sum()))
