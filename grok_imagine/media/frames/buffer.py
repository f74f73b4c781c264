"""One array that holds all frames of a clip."""

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
    """A float32 array ``[frames, H, W, 3]`` for as many frames as the header states.

    A single allocation is faster than a list of frames: NumPy gets huge pages from Linux, and unused pages cost
    nothing. If there are more frames than stated, the array grows by a quarter.
    """

    def __init__(self, name: str, size: tuple[int, int], expected: int, exact: bool, max_bytes: int | None) -> None:
        """``size`` is (width, height). Raises DecodeError if ``expected`` frames exceed ``max_bytes`` or the memory."""
        self._name = name
        self._size = size
        self._frame_shape = (size[1], size[0], CHANNELS)
        self._max_bytes = max_bytes
        self._check(expected)
        capacity = expected if exact else self._within_limit(expected + SPARE_FRAMES)
        self._array: NDArray[np.float32] = self._allocate(capacity)
        self._used = 0

    def next_slot(self, wait_until_written: Callable[[], None]) -> NDArray[np.float32]:
        """The next frame's slot ``[H, W, 3]``. Calls ``wait_until_written`` before it copies the earlier slots."""
        if self._used == len(self._array):
            self._check(self._used + 1)
            larger = self._allocate(self._within_limit(self._used + max(self._used // GROWTH, SPARE_FRAMES)))
            wait_until_written()
            larger[: self._used] = self._array
            self._array = larger
        self._used += 1
        return self._array[self._used - 1]

    def frames(self) -> NDArray[np.float32]:
        """A view of all slots returned so far."""
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
        # NumPy raises ValueError if the number of bytes exceeds the machine's word.
        except (MemoryError, ValueError) as error:
            raise DecodeError(f"{_memory_needed(self._name, frames, self._size)}, more than is available.") from error


def check_fits(name: str, frames: int, size: tuple[int, int], max_bytes: int | None) -> None:
    """Raise DecodeError if frames of ``size`` (width, height) exceed ``max_bytes``. Its text says what would fit."""
    frame_bytes = size[0] * size[1] * CHANNELS * FLOAT_BYTES
    if max_bytes is None or frames * frame_bytes <= max_bytes:
        return
    max_frames = max_bytes // frame_bytes
    options = (
        [f"frame_load_cap at most {max_frames}", f"select_every_nth at least {-(-frames // max_frames)}"]
        if max_frames
        else []
    )
    options.append(f"longest_side at most {longest_side_within(*size, max_bytes / (frames * frame_bytes))}")
    raise DecodeError(
        f"{_memory_needed(name, frames, size)}, more than the {format_bytes(max_bytes)} allowed. Use one of: "
        + ", or ".join(options)
        + "."
    )


def _memory_needed(name: str, frames: int, size: tuple[int, int]) -> str:
    needed = format_bytes(frames * size[0] * size[1] * CHANNELS * FLOAT_BYTES)
    return f"{name} has at least {frames} frames of {size[0]} × {size[1]}, which need {needed} of memory"


def format_bytes(count: int) -> str:
    """A number of bytes as text in GB, MB or kB."""
    for unit, size, digits in (("GB", 1e9, 2), ("MB", 1e6, 1)):
        if count >= size / 10:
            return f"{count / size:.{digits}f} {unit}"
    return f"{count / 1e3:.0f} kB"
