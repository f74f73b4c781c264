"""Still water: the scene above it mirrored, broken by ripples, with a path of light under the sun."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .canvas import Planes
from .colour import Bytes, Floats
from .noise import smoothstep
from .sky import Sun

Rows = NDArray[np.int32]
Level = tuple[int, int, int]
_WAVES = 5
_SMOOTH = Image.Resampling.BILINEAR


class Water:
    """Ripples are a few travelling waves in perspective, worked out at half size, for that is what chroma needs."""

    def __init__(
        self,
        rng: np.random.Generator,
        width: int,
        height: int,
        shore: int,
        sun: Sun,
        tint: Level,
        light: Level,
        air: Level,
        warmth: Level,
    ) -> None:
        self.shore, self.size = shore, (width, height - shore)
        self.tint, self.light, self.air, self.warmth = tint, light, air, warmth
        rows, columns = (height - shore) // 2, width // 2
        depth = ((np.arange(rows, dtype=np.float32) + 0.8) / rows)[:, None]
        across = ((np.arange(columns, dtype=np.float32) - columns / 2) / rows)[None, :]
        self._waves = [self._wave(rng, depth, across, k) for k in range(_WAVES)]
        self._wave_now: Floats = np.empty((rows, columns), np.float32)
        self._part: Floats = np.empty((rows, columns), np.float32)
        scale = height / 720
        self._swing = ((0.8 + 17.0 * depth**1.1) * scale).astype(np.float32)
        self._rows = (np.arange(rows, dtype=np.float32) * 2)[:, None]
        # Water mirrors well at a flat angle, far out, and shows its own colour near the viewer's feet.
        self._clear = (0.12 + 0.42 * depth**0.8).astype(np.float32)
        self._half_shade = self._mask(self._clear, columns)
        self._shade = self._mask(np.repeat(self._clear, 2, axis=0), width)
        # Each ripple's far side mirrors the bright sky low down, whatever stands behind.
        self._facets = (14 + 64 * depth**0.7).astype(np.float32)
        spread = (0.06 + 0.22 * depth) * rows * 2
        away = np.arange(columns, dtype=np.float32)[None, :] * 2 - sun.x
        path: Floats = (217 * np.exp(-((away / spread) ** 2)) * (1 - 0.45 * depth)).astype(np.float32)
        # The path of light is narrow; only its own columns are worked out, from `first`.
        lit = np.flatnonzero(path.max(axis=0) > 1.5)
        self._first = int(lit[0]) if lit.size else 0
        self._path = path[:, self._first : int(lit[-1]) + 1] if lit.size else path[:, :1] * 0
        # The sun's mirror image is drawn out into a warm column; a disc would look like a coin in the water.
        self._half_wash = Image.fromarray((self._path * np.float32(0.62)).astype(np.uint8))
        self._wash = self._half_wash.resize((self._half_wash.width * 2, self._half_wash.height * 2), _SMOOTH)

    @staticmethod
    def _mask(column: Floats, width: int) -> Image.Image:
        return Image.fromarray(np.repeat((column * 255).astype(np.uint8), width, axis=1))

    @staticmethod
    def _wave(rng: np.random.Generator, depth: Floats, across: Floats, k: int) -> tuple[Floats, Floats, float]:
        """Sine and cosine of one wave's phase: the wave at any moment is a sum of the two."""
        far = 1 / (depth + 0.16)
        phase = (
            rng.uniform(9, 16) * (1 + 0.7 * k) * far
            + across * far * rng.uniform(-1.0, 1.0) * (1.5 + 1.4 * k)
            + rng.uniform(0, 6.28)
        )
        weight = 0.45 / (1 + 0.35 * k)
        return (weight * np.sin(phase)).astype(np.float32), (weight * np.cos(phase)).astype(np.float32), 1.1 + 0.55 * k

    def paint(self, frame: Planes, seconds: float) -> None:
        wave = self._wave_at(seconds)
        rows = np.clip(self._swing * wave + self._rows, 0, self.shore - 2).astype(np.int32)
        shine = Image.fromarray((smoothstep(0.05, 1.2, wave) * self._facets).astype(np.uint8))
        lit = wave[:, self._first : self._first + self._path.shape[1]]
        glint = Image.fromarray((smoothstep(0.12, 0.85, lit) * self._path).astype(np.uint8))
        shore, half = self.shore, rows // 2
        large = (glint.width * 2, glint.height * 2)
        large_shine, large_glint = shine.resize(self.size, _SMOOTH), glint.resize(large, _SMOOTH)
        first, full = self._first, self._doubled(rows)
        for k, (plane, depth, start, shade, wash, facets, light, left) in enumerate(
            (
                (frame.y, full, shore, self._shade, self._wash, large_shine, large_glint, first * 2),
                (frame.u, half, shore // 2, self._half_shade, self._half_wash, shine, glint, first),
                (frame.v, half, shore // 2, self._half_shade, self._half_wash, shine, glint, first),
            )
        ):
            mirrored = Image.fromarray(self._gather(plane, depth, start))
            mirrored.paste(self.tint[k], (0, 0), shade)
            mirrored.paste(self.warmth[k], (left, 0), wash)
            mirrored.paste(self.air[k], (0, 0), facets)
            mirrored.paste(self.light[k], (left, 0), light)
            plane.paste(mirrored, (0, start))

    def _wave_at(self, seconds: float) -> Floats:
        """The sum of the waves, into the same two buffers each time: fresh memory would cost more than the sums."""
        self._wave_now.fill(0)
        for sine, cosine, pace in self._waves:
            for shape, share in ((sine, np.cos(pace * seconds)), (cosine, np.sin(pace * seconds))):
                np.multiply(shape, np.float32(share), out=self._part)
                self._wave_now += self._part
        return self._wave_now

    @staticmethod
    def _doubled(rows: Rows) -> Rows:
        """Displacements at full size: each holds for two by two pixels, which still differ in their own place."""
        tall = np.repeat(np.repeat(rows, 2, axis=0), 2, axis=1)
        tall[1::2] += 1
        return tall

    @staticmethod
    def _gather(plane: Image.Image, depth: Rows, shore: int) -> Bytes:
        """The mirrored picture: each place shows the row as far above the shore as `depth` lies below it."""
        above: Bytes = np.asarray(plane.crop((0, 0, plane.width, shore)))
        flat = (shore - 1 - depth) * np.int32(plane.width)
        flat += np.arange(plane.width, dtype=np.int32)
        return np.take(above.ravel(), flat, mode="clip")
