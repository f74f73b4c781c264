"""The one array that all frames of a clip are written into."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...errors import DecodeError
from .resize import longest_side_within

FLOAT_BYTES, CHANNELS = 4, 3
SPARE_FRAMES = 4
GROWTH = 4


class FrameBuffer:
    """A float32 array ``[frames, H, W, 3]`` with room for as many frames as the header promised.

    NumPy asks Linux for huge pages by itself, and a page that is never written costs nothing: so one allocation
    that is a little too large beats a list of frames. If the header promised too few, the array grows by a quarter.
    """

    def __init__(self, name: str, size: tuple[int, int], promised: int, exact: bool, max_bytes: int | None) -> None:
        """``size`` is width and height. Raises DecodeError if ``promised`` frames pass ``max_bytes`` or the memory."""
        self._name = name
        self._size = size
        self._frame_shape = (size[1], size[0], CHANNELS)
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
        check_fits(self._name, frames, self._size, self._max_bytes)

    def _allocate(self, frames: int) -> NDArray[np.float32]:
        try:
            return np.empty((frames, *self._frame_shape), dtype=np.float32)
        # NumPy says ValueError where the number of bytes does not even fit the machine's word.
        except (MemoryError, ValueError) as error:
            raise DecodeError(f"{_asks(self._name, frames, self._size)}, and that is not there.") from error


def check_fits(name: str, frames: int, size: tuple[int, int], max_bytes: int | None) -> None:
    """Raises DecodeError if the frames, of width and height ``size``, pass ``max_bytes``; it names what would fit."""
    frame_bytes = size[0] * size[1] * CHANNELS * FLOAT_BYTES
    if max_bytes is None or frames * frame_bytes <= max_bytes:
        return
    most = max_bytes // frame_bytes
    ways = [f"frame_load_cap at most {most}", f"select_every_nth at least {-(-frames // most)}"] if most else []
    ways.append(f"longest_side at most {longest_side_within(*size, max_bytes / (frames * frame_bytes))}")
    raise DecodeError(
        f"{_asks(name, frames, size)}, more than the {memory_text(max_bytes)} that may be used. It fits with one of: "
        + ", or ".join(ways)
        + "."
    )


def _asks(name: str, frames: int, size: tuple[int, int]) -> str:
    needed = memory_text(frames * size[0] * size[1] * CHANNELS * FLOAT_BYTES)
    return f"{name} would give at least {frames} frames of {size[0]} × {size[1]}, which take {needed} of memory"


def memory_text(count: int) -> str:
    """A number of bytes in words: in GB, in MB where GB would show no digit, in kB where MB would not."""
    for unit, size, digits in (("GB", 1e9, 2), ("MB", 1e6, 1)):
        if count >= size / 10:
            return f"{count / size:.{digits}f} {unit}"
    return f"{count / 1e3:.0f} kB"
