"""The size of a decode's result, known before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .buffer import CHANNELS, FLOAT_BYTES, format_bytes


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
        """Bytes of all frames as float32 RGB."""
        return self.frames * self.width * self.height * CHANNELS * FLOAT_BYTES

    @property
    def memory(self) -> str:
        """The memory as text, such as "1.20 GB"."""
        return format_bytes(self.bytes)

    def __str__(self) -> str:
        about = "" if self.is_exact else "about "
        return f"{about}{self.frames} frames of {self.width} × {self.height}, {self.memory}"
