"""A landscape from a prompt: the same words always give the same place, other words another."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np

from .canvas import Layer, Planes
from .colour import Floats, from_hex, mix, to_yuv, yuv_of
from .noise import skyline
from .palettes import Palette, choose
from .particles import Particles
from .sky import Sun, paint_sky, place_sun
from .terrain import drifting, hazy_ink, hill, outline, pines, sailboat
from .water import Water

KINDS = ("lake", "peaks", "dunes", "sea")
_KIND_WORDS = {
    "sea": ("sea", "ocean", "beach", "wave", "boat", "island", "coastal", "ship"),
    "lake": ("lake", "river", "forest", "water"),
    "dunes": ("desert", "dune", "sand", "canyon"),
    "peaks": ("mountain", "peak", "valley", "snow", "hill"),
}


class Scene:
    """Layers drawn once; a frame is made by moving them."""

    def __init__(self, prompt: str, width: int, height: int) -> None:
        digest = hashlib.sha256(prompt.strip().encode("utf-8", "surrogatepass")).digest()
        self.rng = rng = np.random.default_rng(list(digest))
        self.width, self.height = width, height
        self.palette: Palette = choose(prompt, digest[0])
        self.kind = _kind(prompt, digest[1])
        level = {"lake": 0.62, "peaks": 0.74, "dunes": 0.66, "sea": 0.55}[self.kind] + rng.uniform(-0.03, 0.03)
        self.horizon = int(height * level) // 2 * 2
        self.sun: Sun = place_sun(rng, width, height, self.horizon * 0.9, night=self.palette.night)
        sky = paint_sky(self.palette, self.sun, width, height, self.horizon, rng)
        self._sky = Planes.of(to_yuv(sky, rng))
        self._glow = self._glow_of(sky)
        self._layers = [*self._clouds(), *self._hills()]
        self._front: list[Layer] = []
        self._water: Water | None = None
        if self.kind in ("lake", "sea"):
            self._water = self._water_of()
            if self.kind == "lake":
                self._front = [self._foreground()]
        light = from_hex(self.palette.light if self.palette.particles != "firefly" else "#ffd27a")
        self._particles = Particles(rng, self.palette.particles, width, height, yuv_of(light))

    def frame(self, seconds: float) -> Planes:
        frame = self._sky.copy()
        for layer in self._layers:
            layer.paint(frame, seconds)
        if self._water:
            self._water.paint(frame, seconds)
        for layer in self._front:
            layer.paint(frame, seconds)
        self._particles.paint(frame, seconds)
        return frame

    @property
    def accent(self) -> tuple[int, int, int]:
        return yuv_of(from_hex(self.palette.glow))

    # building

    def _water_of(self) -> Water:
        palette = self.palette
        sky = [from_hex(colour) for colour in palette.sky]
        own = mix(from_hex(palette.near), sky[2], np.float32(0.45))
        air = mix(sky[2], sky[3], np.float32(0.5))
        light = from_hex(palette.light)
        warmth = mix(sky[3], from_hex(palette.glow), np.float32(0.7))
        levels = (yuv_of(own), yuv_of(light), yuv_of(air), yuv_of(warmth))
        return Water(self.rng, self.width, self.height, self.horizon, self.sun, *levels)

    def _glow_of(self, sky: Floats) -> Floats:
        """How much the sun lights the haze in front of the hills, by place."""
        across = np.arange(self.width, dtype=np.float32) - self.sun.x
        down = np.arange(self.height, dtype=np.float32) - self.sun.y
        distance = np.sqrt(across[None] ** 2 + down[:, None] ** 2)
        fall = np.exp(-distance / (0.45 * min(self.width, self.height)))
        return (0.5 if not self.palette.night else 0.25) * fall[..., None] * from_hex(self.palette.glow)

    def _clouds(self) -> list[Layer]:
        rng, sky = self.rng, [from_hex(c) for c in self.palette.sky]
        lit = mix(sky[3], from_hex(self.palette.light), np.float32(0.35))
        dim = mix(sky[2], sky[3], np.float32(0.35))
        count = int(rng.integers(2, 4))
        layers: list[Layer] = []
        for k in range(count):
            top = int(self.horizon * (0.02 + 0.26 * k + rng.uniform(0, 0.1)))
            tall = int(self.horizon * rng.uniform(0.34, 0.5))
            layers.append(
                drifting(
                    rng,
                    lit if k else dim,
                    top,
                    min(tall, self.horizon - top),
                    self.width,
                    self.width * (0.007 - 0.0015 * k),
                    0.34 if self.palette.night else 0.62,
                    (0.48, 0.76),
                    (2, 3 + k),
                )
            )
        return layers

    def _hills(self) -> list[Layer]:
        count = {"lake": 3, "peaks": 5, "dunes": 5, "sea": 2}[self.kind]
        layers: list[Layer] = []
        hills: list[Layer] = []
        for k in range(count):
            depth = (k + 0.25) / count * (0.55 if self.kind in ("lake", "sea") else 1.0)
            hills.append(self._hill(depth, k, count))
            layers.append(hills[-1])
            if k < count - 1 and self.kind in ("peaks", "lake"):
                layers.append(self._mist(layers[-1], depth))
        for behind, before in pairwise(hills):
            behind.hide_below(before.solid_from)
        if self.kind == "sea":
            layers.append(self._boat())
        return layers

    def _boat(self) -> Layer:
        sail = mix(from_hex(self.palette.light), from_hex(self.palette.sky[2]), np.float32(0.25))
        tall = int(self.height * self.rng.uniform(0.075, 0.12))
        return sailboat(self.rng, self.width, self.horizon, tall, sail, from_hex(self.palette.near))

    def _hill(self, depth: float, k: int, count: int) -> Layer:
        rng, height = self.rng, self.height
        period = self.width + self.width // 2
        period += period % 2
        tall = height * {"lake": 0.20, "peaks": 0.26, "dunes": 0.13, "sea": 0.06}[self.kind] * (1.1 - 0.35 * depth)
        if self.kind in ("lake", "sea"):
            base = self.horizon - height * 0.012 * (count - 1 - k) * 2
        else:
            spread = height * {"peaks": 0.95, "dunes": 0.90}[self.kind] - self.horizon * 0.86
            base = self.horizon * 0.86 + spread * depth
        line = outline(rng, period, height, self.kind, depth) * tall
        room = tall * 0.5 if self.kind in ("peaks", "lake") else 0.0
        if self.kind == "sea":
            # Islands: the crest sinks under the horizon for most of its length.
            line = line * (1.5 + 0.5 * k)
        if self.kind in ("peaks", "lake") and depth > 0.3:
            trees = height * (0.018 + 0.085 * max(depth - 0.3, 0) ** 1.4)
            groves = skyline(rng, len(line), 9, octaves=3) * 1.25
            line = pines(line + room, rng, trees, max(trees * 0.2, 2.0), groves)
        else:
            line = line + room
        top = max(int(base - tall - room) // 2 * 2, 0)
        below = self.height - top
        speed = self.width * (0.0035 + 0.034 * depth**1.7)
        haze = gradient_foot(self.palette)
        ink = hazy_ink(
            from_hex(self.palette.near), haze, self._glow[top : top + below], depth, below, 0.5 * (1 - depth) + 0.08
        )
        return hill(np.minimum(line, below - 2.0), ink, top, speed, self.width, rng)

    def _mist(self, behind: Layer, depth: float) -> Layer:
        tall = int(self.height * 0.12)
        top = min(behind.top + behind.mask.height - tall // 2, self.height - tall - 2)
        return drifting(
            self.rng,
            gradient_foot(self.palette),
            top,
            tall,
            self.width,
            behind.speed * 1.6,
            0.45 * (1 - 0.6 * depth),
            (0.30, 0.75),
            (3, 2),
        )

    def _foreground(self) -> Layer:
        """A wooded bank close to the viewer, which frames the lake."""
        rng, height = self.rng, self.height
        period = self.width + self.width // 2
        period += period % 2
        tall = height * 0.09
        wave = outline(rng, period, height, "lake", 0.9)
        line = wave * tall + height * 0.20
        groves = np.clip((0.62 - wave) * 3.0, 0, 1)
        line = pines(line, rng, height * 0.21, height * 0.022, groves)
        line = line + np.where(wave > 0.75, (wave - 0.75) * height * 0.25, 0)
        top = int(height - tall - height * 0.225) // 2 * 2
        below = height - top
        ink = hazy_ink(from_hex(self.palette.near), gradient_foot(self.palette), self._glow[top:], 1.0, below, 0.02)
        return hill(np.minimum(line, below - 2.0).astype(np.float32), ink, top, self.width * 0.05, self.width, rng)


def gradient_foot(palette: Palette) -> Floats:
    """The colour of the air at the horizon, a little less bright than the sky there."""
    return mix(from_hex(palette.sky[3]), from_hex(palette.sky[4]), np.float32(0.35))


def _kind(prompt: str, pick: int) -> str:
    words = set(prompt.lower().replace(",", " ").replace(".", " ").split())
    words |= {word[:-1] for word in words if word.endswith("s")}
    named = [kind for kind, cues in _KIND_WORDS.items() if words.intersection(cues)]
    return (named or list(KINDS))[pick % len(named or KINDS)]
