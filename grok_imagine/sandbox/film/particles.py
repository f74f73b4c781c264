"""Small things in the air: dust, fireflies, snow, rain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .canvas import Planes
from .colour import Floats

_SUBSTEPS = 4


@dataclass(frozen=True, slots=True)
class Kind:
    """How one sort of particle looks and moves."""

    count: int
    size: tuple[float, float]
    drift: tuple[float, float]
    """Pixels per second across and down, at 720 lines, for a particle of middle size."""
    sway: float
    strength: float
    pulse: float
    streak: float = 1.0


KINDS: dict[str, Kind] = {
    "dust": Kind(34, (1.2, 3.4), (-14, -5), 10, 0.30, 0.5),
    "firefly": Kind(26, (1.6, 3.2), (-8, -7), 26, 0.85, 1.0),
    "snow": Kind(90, (1.1, 3.6), (-26, 62), 16, 0.75, 0.0),
    "rain": Kind(110, (0.9, 1.3), (-90, 900), 0, 0.22, 0.0, 14.0),
}


class Particles:
    """A swarm of one kind over the whole frame; what leaves at one side comes back at the other."""

    def __init__(
        self, rng: np.random.Generator, name: str, width: int, height: int, colour: tuple[int, int, int]
    ) -> None:
        self.kind = kind = KINDS[name]
        self.width, self.height, self.colour = width, height, colour
        scale = min(width, height) / 720
        self._scale = scale
        self._count = kind.count
        near = rng.random(self._count) ** 1.7
        self._near = near
        self._home = rng.random((self._count, 2))
        self._beat = rng.random((self._count, 3)) * 6.28
        sizes = kind.size[0] + (kind.size[1] - kind.size[0]) * near
        self._steps = np.round(near * 3).astype(int)
        self._sprites = [
            self._sprite(
                float(sizes[self._steps == s].mean()) * max(scale, 0.7) if (self._steps == s).any() else kind.size[0]
            )
            for s in range(4)
        ]

    def _sprite(self, radius: float) -> list[list[Floats]]:
        """A soft dot (or streak) at sub-pixel positions, down then across."""
        long = radius * self.kind.streak
        reach_x, reach_y = int(radius * 2.2) + 2, int(long * 2.2) + 2
        down = np.arange(-reach_y, reach_y + 2, dtype=np.float32)[:, None]
        across = np.arange(-reach_x, reach_x + 2, dtype=np.float32)[None, :]
        steps = [k / _SUBSTEPS for k in range(_SUBSTEPS)]
        return [[np.exp(-(((across - dx) / radius) ** 2 + ((down - dy) / long) ** 2)) for dx in steps] for dy in steps]

    def paint(self, frame: Planes, seconds: float) -> None:
        kind, scale = self.kind, self._scale
        pace = 0.45 + 0.9 * self._near
        x = self._home[:, 0] * self.width + kind.drift[0] * scale * pace * seconds
        y = self._home[:, 1] * self.height + kind.drift[1] * scale * pace * seconds
        x += np.sin(seconds * 0.7 + self._beat[:, 0]) * kind.sway * scale
        y += np.cos(seconds * 0.55 + self._beat[:, 1]) * kind.sway * 0.5 * scale
        margin = 24
        x = np.mod(x, self.width + 2 * margin) - margin
        y = np.mod(y, self.height + 2 * margin) - margin
        light = kind.strength * (1 - kind.pulse * (0.5 + 0.5 * np.sin(seconds * 1.9 + self._beat[:, 2])))
        for i in range(self._count):
            if light[i] > 0.02:
                self._dot(frame, int(self._steps[i]), float(x[i]), float(y[i]), float(light[i]))

    def _dot(self, frame: Planes, size: int, x: float, y: float, light: float) -> None:
        quarters_x, quarters_y = round(x * _SUBSTEPS), round(y * _SUBSTEPS)
        (left, dx), (top, dy) = divmod(quarters_x, _SUBSTEPS), divmod(quarters_y, _SUBSTEPS)
        shape = self._sprites[size][dy][dx] * light
        left, top = left - (shape.shape[1] - 3) // 2 - 1, top - (shape.shape[0] - 3) // 2 - 1
        mask = Image.fromarray((shape * 255).astype(np.uint8))
        frame.y.paste(self.colour[0], (left, top), mask)
        if self.kind.pulse == 1.0:
            # Only fireflies are large and warm enough for their colour to be seen.
            small = mask.resize((max(mask.width // 2, 1), max(mask.height // 2, 1)), Image.Resampling.BOX)
            frame.u.paste(self.colour[1], (left // 2, top // 2), small)
            frame.v.paste(self.colour[2], (left // 2, top // 2), small)
