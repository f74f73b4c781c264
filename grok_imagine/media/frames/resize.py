"""The size to which frames are scaled while they are decoded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ...errors import RequestError

Fit = Literal["crop", "pad", "stretch"]
LARGEST_SIDE = 16384


@dataclass(frozen=True)
class Geometry:
    """Upright sizes (width, height) in pixels: to which a frame is scaled, and of the output.

    A smaller output crops the scaled picture around its center; a larger one pads it with black.
    """

    scaled: tuple[int, int]
    output: tuple[int, int]

    @property
    def is_padded(self) -> bool:
        """Whether the output has black borders."""
        return self.scaled[0] < self.output[0] or self.scaled[1] < self.output[1]


@dataclass(frozen=True)
class Resize:
    """The requested size; by default the picture's own.

    Either ``longest_side`` (0: off), which keeps the aspect ratio and never enlarges, or ``width`` and ``height`` (0:
    from the aspect ratio). Both are rounded down to a multiple of ``multiple_of``. If the aspect ratio changes,
    ``fit`` decides: ``crop`` fills the size and cuts the rest, ``pad`` adds black borders, ``stretch`` distorts.
    """

    longest_side: int = 0
    width: int = 0
    height: int = 0
    multiple_of: int = 1
    fit: Fit = "crop"

    def __post_init__(self) -> None:
        """Raises RequestError that lists every invalid value."""
        faults = [
            f"- {name}: {getattr(self, name)} is not between 0 and {LARGEST_SIDE}."
            for name in ("longest_side", "width", "height")
            if not 0 <= getattr(self, name) <= LARGEST_SIDE
        ]
        if not 1 <= self.multiple_of <= LARGEST_SIDE:
            faults.append(f"- multiple_of: {self.multiple_of} is not between 1 and {LARGEST_SIDE}.")
        if self.longest_side and (self.width or self.height):
            faults.append("- longest_side: set either this, or width and height, not both.")
        if faults:
            raise RequestError("Frames cannot be resized like this:\n" + "\n".join(faults))

    def geometry(self, width: int, height: int) -> Geometry:
        """The geometry for an upright picture of this size in pixels."""
        wanted = self._wanted(width, height)
        output = (self._rounded(wanted[0]), self._rounded(wanted[1]))
        if self.fit == "stretch" or output == (width, height):
            return Geometry(output, output)
        ratios = output[0] / width, output[1] / height
        if self.fit == "crop":
            ratio = max(ratios)
            scaled = (max(output[0], round(width * ratio)), max(output[1], round(height * ratio)))
        else:
            ratio = min(ratios)
            scaled = (
                min(output[0], max(1, round(width * ratio))),
                min(output[1], max(1, round(height * ratio))),
            )
        return Geometry(scaled, output)

    def _wanted(self, width: int, height: int) -> tuple[int, int]:
        if self.longest_side:
            ratio = min(1.0, self.longest_side / max(width, height))
            return max(1, round(width * ratio)), max(1, round(height * ratio))
        if self.width and self.height:
            return self.width, self.height
        if self.width:
            return self.width, max(1, round(height * self.width / width))
        if self.height:
            return max(1, round(width * self.height / height)), self.height
        return width, height

    def _rounded(self, side: int) -> int:
        return max(1, side // self.multiple_of) * self.multiple_of


def longest_side_within(width: int, height: int, share: float) -> int:
    """The longest side, a multiple of 8, at which a picture needs ``share`` of its memory."""
    return max(8, math.floor(max(width, height) * math.sqrt(share) / 8) * 8)
