"""The one array that all frames of a clip are written into."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..errors import DecodeError

FLOAT_BYTES = 4
SPARE_FRAMES = 4
GROWTH = 4


class Canvas:
    """A float32 array ``[frames, H, W, 3]`` with room for as many frames as the header promised.

    NumPy asks Linux for huge pages by itself, and a page that is never written costs nothing: so one allocation
    that is a little too large beats a list of frames. If the header promised too few, the array grows by a quarter.
    """

    def __init__(self, name: str, size: tuple[int, int], promised: int, exact: bool, max_bytes: int | None) -> None:
        """``size`` is width and height. Raises DecodeError if ``promised`` frames pass ``max_bytes`` or the memory."""
        self._name = name
        self._frame_shape = (size[1], size[0], 3)
        self._max_bytes = max_bytes
        self._check(promised)
        room = promised if exact else self._within_limit(promised + SPARE_FRAMES)
        self._array: NDArray[np.float32] = self._allocate(room)
        self._used = 0

    def place(self, settle: Callable[[], None]) -> NDArray[np.float32]:
        """Where the next frame goes, ``[H, W, 3]``. ``settle`` waits for every place given so far to be filled."""
        if self._used == len(self._array):
            self._check(self._used + 1)
            larger = self._allocate(self._within_limit(self._used + max(self._used // GROWTH, SPARE_FRAMES)))
            settle()
            larger[: self._used] = self._array
            self._array = larger
        self._used += 1
        return self._array[self._used - 1]

    def filled(self) -> NDArray[np.float32]:
        """A view of the frames that were placed."""
        return self._array[: self._used]

    @property
    def _frame_bytes(self) -> int:
        return int(np.prod(self._frame_shape, dtype=np.int64)) * FLOAT_BYTES

    def _within_limit(self, frames: int) -> int:
        return frames if self._max_bytes is None else min(frames, self._max_bytes // self._frame_bytes)

    def _check(self, frames: int) -> None:
        if self._max_bytes is not None and frames * self._frame_bytes > self._max_bytes:
            raise DecodeError(f"{self._asks(frames)}, more than the limit of {_gigabytes(self._max_bytes)}.")

    def _allocate(self, frames: int) -> NDArray[np.float32]:
        try:
            return np.empty((frames, *self._frame_shape), dtype=np.float32)
        # NumPy says ValueError where the number of bytes does not even fit the machine's word.
        except (MemoryError, ValueError) as error:
            raise DecodeError(f"{self._asks(frames)}, and that is not there.") from error

    def _asks(self, frames: int) -> str:
        height, width, _ = self._frame_shape
        needed = _gigabytes(frames * self._frame_bytes)
        return f"{self._name} has at least {frames} frames of {width} × {height}, which take {needed} of memory"


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB"
