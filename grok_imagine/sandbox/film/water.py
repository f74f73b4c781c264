"""Still water: the scene above it mirrored, broken by ripples, with a path of light under the sun."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .canvas import Planes
from .colour import Bytes, Floats
from .noise import smoothstep
from .sky import Sun


class Water:
    """Ripples are a few travelling waves in perspective, worked out at half size, for that is what chroma needs."""

    def __init__(self, rng: np.random.Generator, width: int, height: int, shore: int, sun: Sun,
                 tint: tuple[int, int, int], light: tuple[int, int, int]) -> None:
        self.shore, self.size = shore, (width, height - shore)
        self.tint, self.light = tint, light
        rows, columns = (height - shore) // 2, width // 2
        depth = ((np.arange(rows, dtype=np.float32) + 0.8) / rows)[:, None]
        across = ((np.arange(columns, dtype=np.float32) - columns / 2) / rows)[None, :]
        self._waves = [self._wave(rng, depth, across, k) for k in range(6)]
        scale = height / 720
        self._swing = (0.8 + 9.0 * depth**1.2) * scale
        self._rows = (np.arange(rows, dtype=np.float32) * 2)[:, None]
        # Water mirrors well at a flat angle, far out, and shows its own colour near the viewer's feet.
        self._clear = (0.12 + 0.42 * depth**0.8).astype(np.float32)
        spread = (0.045 + 0.17 * depth) * rows * 2
        away = np.arange(columns, dtype=np.float32)[None, :] * 2 - sun.x
        self._path = np.exp(-((away / spread) ** 2)) * (1 - 0.45 * depth)

    @staticmethod
    def _wave(rng: np.random.Generator, depth: Floats, across: Floats, k: int) -> tuple[Floats, Floats, float]:
        """Sine and cosine of one wave's phase, so that moving it costs two products a frame."""
        far = 1 / (depth + 0.16)
        phase = (rng.uniform(9, 16) * (1 + 0.7 * k) * far + across * far * rng.uniform(-1.0, 1.0) * (1.5 + 1.4 * k)
                 + rng.uniform(0, 6.28))
        weight = 1 / (1 + 0.35 * k)
        return (weight * np.sin(phase)).astype(np.float32), (weight * np.cos(phase)).astype(np.float32), 1.1 + 0.55 * k

    def paint(self, frame: Planes, seconds: float) -> None:
        swell = sum((sine * np.float32(np.cos(pace * seconds)) + cosine * np.float32(np.sin(pace * seconds))
                     for sine, cosine, pace in self._waves), np.float32(0))
        wave: Floats = np.asarray(swell, np.float32) / 2.2
        glint = smoothstep(0.35, 0.95, wave) * self._path
        width, height = self.size
        source = self._rows * 1.0 + self._swing * wave
        full = np.asarray(Image.fromarray(source).resize((width, height), Image.Resampling.BILINEAR), np.float32)
        full_glint = np.asarray(Image.fromarray(glint).resize((width, height), Image.Resampling.BILINEAR), np.float32)
        shade = np.repeat(self._clear, 2, axis=0)
        mirror = self._gather(frame.y, full, self.shore)
        luma = mirror + (self.tint[0] - mirror) * shade
        luma += (self.light[0] - luma) * (full_glint * 0.85)
        frame.y.paste(_picture(luma), (0, self.shore))
        for plane, own, sun in ((frame.u, self.tint[1], self.light[1]), (frame.v, self.tint[2], self.light[2])):
            mirrored = self._gather(plane, source / 2, self.shore // 2)
            colour = mirrored + (own - mirrored) * self._clear
            colour += (sun - colour) * (glint * 0.8)
            plane.paste(_picture(colour), (0, self.shore // 2))

    @staticmethod
    def _gather(plane: Image.Image, depth: Floats, shore: int) -> Floats:
        """The mirrored picture: each place shows the row as far above the shore as `depth` lies below it."""
        above: Bytes = np.asarray(plane.crop((0, 0, plane.width, shore)))
        rows = np.clip(shore - 1 - depth, 0, shore - 1).astype(np.int32)
        flat = rows * plane.width + np.arange(plane.width, dtype=np.int32)[None, :]
        return np.take(above.ravel(), flat).astype(np.float32)


def _picture(plane: Floats) -> Image.Image:
    return Image.fromarray(np.clip(plane + 0.5, 16, 240).astype(np.uint8))
