"""What a decode will make, told before it is begun."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .buffer import CHANNELS, FLOAT_BYTES, memory_text


@dataclass(frozen=True)
class Plan:
    """``frames`` of ``width`` and ``height`` pixels at ``rate`` frames a second; an estimate unless ``is_exact``."""

    name: str
    frames: int
    is_exact: bool
    width: int
    height: int
    rate: Fraction

    @property
    def bytes(self) -> int:
        """The memory that all frames take as float32 RGB."""
        return self.frames * self.width * self.height * CHANNELS * FLOAT_BYTES

    @property
    def memory(self) -> str:
        """That in words."""
        return memory_text(self.bytes)

    def __str__(self) -> str:
        about = "" if self.is_exact else "about "
        return f"{about}{self.frames} frames of {self.width} × {self.height}, {self.memory}"
