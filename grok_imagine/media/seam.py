"""What hides a seam: colours that drifted are brought back, and one sound fades into the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .parts import Packed, planes

# Differences of the mean, in steps of 8 bits, that no one sees: a step of luma, less of colour, is below what an
# encoder itself changes between two frames.
UNSEEN = (0.6, 0.4, 0.4)
# Past these, the two pictures do not show the same, and to match them would do harm.
LEAST_LIKENESS, GAINS, MOST_SHIFT = 0.8, (0.75, 1.33), 40.0
# Too flat a plane has no contrast that could be measured.
LEAST_CONTRAST = 2.0


@dataclass(frozen=True)
class Match:
    """How the later of two pictures differed in the mean of Y, U and V, and the tables that undo it; None: nothing."""

    drift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    tables: tuple[NDArray[np.uint8], ...] | None = None

    @property
    def is_needed(self) -> bool:
        """Whether the colours are changed."""
        return self.tables is not None

    def applied(self, picture: Packed) -> Packed:
        """The picture in the colours of the part before."""
        if self.tables is None:
            return picture
        made = np.empty_like(picture)
        for table, plane, place in zip(self.tables, planes(picture), planes(made), strict=True):
            np.take(table, plane, out=place)
        return made


def match(before: Packed | None, after: Packed) -> Match:
    """What brings ``after`` to the colours of ``before``, which shows the same. Nothing where it does not."""
    if before is None:
        return Match()
    pairs = list(zip(planes(before), planes(after), strict=True))
    drift = tuple(float(new.mean() - old.mean()) for old, new in pairs)
    told = (drift[0], drift[1], drift[2])
    if all(abs(one) <= limit for one, limit in zip(told, UNSEEN, strict=True)) or not _is_alike(*pairs[0]):
        return Match(told)
    tables: list[NDArray[np.uint8]] = []
    for old, new in pairs:
        table = _table(old, new)
        if table is None:
            return Match(told)
        tables.append(table)
    return Match(told, tuple(tables))


def _is_alike(old: Packed, new: Packed) -> bool:
    """Whether two planes show the same, whatever their brightness and contrast."""
    first, second = _spread(old[::4, ::4].astype(np.float32)), _spread(new[::4, ::4].astype(np.float32))
    sizes = _size(first) * _size(second)
    flat = LEAST_CONTRAST**2 * first.size
    return sizes < flat or float((first * second).sum()) / sizes >= LEAST_LIKENESS


def _table(old: Packed, new: Packed) -> NDArray[np.uint8] | None:
    """Each of the 256 values of a plane, by the straight line from the one's mean and contrast to the other's."""
    has, wants = float(new.std()), float(old.std())
    gain = wants / has if min(has, wants) >= LEAST_CONTRAST else 1.0
    shift = float(old.mean() - new.mean())
    if not GAINS[0] <= gain <= GAINS[1] or abs(shift) > MOST_SHIFT:
        return None
    values = (np.arange(256) - float(new.mean())) * gain + float(old.mean())
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


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


def _spread(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values - values.mean()


def _size(values: NDArray[np.float32]) -> float:
    return float(np.sqrt((values * values).sum()))
