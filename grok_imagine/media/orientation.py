"""A video's orientation: its display matrix, reduced to a swap of axes and two flips."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray


@dataclass(frozen=True)
class Orientation:
    """How to make a stored picture upright: first swap the axes, then flip along x and y."""

    swap: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def from_frame(cls, frame: VideoFrame) -> Orientation:
        """The orientation of ``frame``, rounded to a quarter turn."""
        matrix = _matrix(frame)
        if matrix is None:
            return cls()
        # x' = a x + c y and y' = b x + d y, with y pointing down. Source: libavutil/display.h.
        a, b, c, d = matrix
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(swap=True, flip_x=c < 0, flip_y=b < 0)
        return cls(flip_x=a < 0, flip_y=d < 0)

    @property
    def degrees(self) -> int:
        """The clockwise rotation: 0, 90, 180 or 270. For a mirrored picture, the rotation after mirroring."""
        if self.swap:
            return 270 if self.flip_y else 90
        return 180 if self.flip_y else 0

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the upright picture."""
        return (height, width) if self.swap else (width, height)

    def aspect(self, pixel: Fraction | None) -> Fraction | None:
        """Width by height of a pixel of the upright picture; None for square ones."""
        return 1 / pixel if pixel and self.swap else pixel

    def apply(self, picture: NDArray[Any]) -> NDArray[Any]:
        """The upright view of a picture ``[H, W, C]``, without a copy."""
        turned: NDArray[Any] = np.swapaxes(picture, 0, 1) if self.swap else picture
        step_x, step_y = (-1 if self.flip_x else 1), (-1 if self.flip_y else 1)
        return turned[::step_y, ::step_x]


def _matrix(frame: VideoFrame) -> tuple[float, float, float, float] | None:
    try:
        side_data = cast(Any, frame.side_data).get("DISPLAYMATRIX")
    except ValueError:
        # PyAV before 19 cannot list side data of unknown kinds, but can read the angle.
        angle = math.radians(frame.rotation)
        return (math.cos(angle), -math.sin(angle), math.sin(angle), math.cos(angle)) if angle else None
    if side_data is None:
        return None
    values = np.frombuffer(bytes(side_data), dtype=np.int32)
    return float(values[0]), float(values[1]), float(values[3]), float(values[4])
