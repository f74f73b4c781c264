"""The part of the scene that stands still: gradient, sun or moon with its glow, stars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .colour import Floats, from_hex, gradient
from .noise import smoothstep
from .palettes import Palette


@dataclass(frozen=True, slots=True)
class Sun:
    """Where the sun or moon stands, in pixels."""

    x: float
    y: float
    radius: float


def place_sun(rng: np.random.Generator, width: int, height: int, horizon: float, *, night: bool) -> Sun:
    """Off the middle, as a photographer would; low by day, higher at night."""
    side = 1 if rng.random() < 0.6 else -1
    x = width * (0.5 + side * rng.uniform(0.08, 0.24))
    y = horizon * (rng.uniform(0.22, 0.45) if night else rng.uniform(0.52, 0.82))
    return Sun(x, y, min(width, height) * rng.uniform(0.038, 0.062))


def paint_sky(palette: Palette, sun: Sun, width: int, height: int, horizon: float, rng: np.random.Generator) -> Floats:
    """The sky in linear light, (height, width, 3); below the horizon it goes on as haze."""
    down = np.clip(np.arange(height, dtype=np.float32) / horizon, 0, 1)
    column = gradient([from_hex(c) for c in palette.sky], down**0.9)
    sky = np.repeat(column[:, None, :], width, axis=1)
    if palette.night:
        _scatter_stars(sky, rng, width, horizon)
    distance = _distance(sun, width, height)
    glow = from_hex(palette.glow)
    size = min(width, height)
    # A tight aureole inside a wide one, as haze scatters light.
    halo = 0.55 * np.exp(-distance / (0.10 * size)) + 0.34 * np.exp(-distance / (0.42 * size))
    sky += (0.55 if palette.night else 0.85) * halo[..., None] * glow
    disc = np.clip(sun.radius - distance + 0.5, 0, 1)
    if palette.night:
        disc = disc * _crescent(sun, width, height, rng)
    return sky + (from_hex(palette.light) * 1.1 - sky) * disc[..., None]


def _distance(sun: Sun, width: int, height: int) -> Floats:
    across = np.arange(width, dtype=np.float32) + 0.5 - sun.x
    down = np.arange(height, dtype=np.float32) + 0.5 - sun.y
    return np.sqrt(across[None, :] ** 2 + down[:, None] ** 2)


def _crescent(sun: Sun, width: int, height: int, rng: np.random.Generator) -> Floats:
    """What the earth's shadow leaves of the moon; sometimes all of it."""
    if rng.random() < 0.35:
        return np.ones((height, width), np.float32)
    shift = sun.radius * rng.uniform(0.45, 0.75)
    shadow = Sun(sun.x + shift, sun.y - shift * 0.35, sun.radius * 0.94)
    return np.clip(_distance(shadow, width, height) - shadow.radius + 0.5, 0, 1)


def _thin(height: float) -> float:
    """How much of a star the air swallows: nothing overhead, nearly all at the horizon."""
    return float(smoothstep(0.35, 1.0, np.array([height], np.float32))[0])


def _scatter_stars(sky: Floats, rng: np.random.Generator, width: int, horizon: float) -> None:
    """Soft points, many faint and few bright, thinning out toward the horizon."""
    size = sky.shape[0] / 720
    count = int(420 * width * horizon / (1280 * 460))
    places = rng.random((count, 2))
    bright = rng.random(count) ** 6 * 1.6 + 0.06
    grid = np.arange(-2, 3, dtype=np.float32)
    for (across, down), light in zip(places, bright, strict=True):
        x, y = 3 + across * (width - 7), 3 + down**1.4 * (horizon * 0.9)
        column, row = int(x), int(y)
        if row + 3 > sky.shape[0] or column + 3 > width:
            continue
        spread = (0.75 + 0.35 * light) * max(size, 0.75)
        square = (grid[None, :] - (x - column)) ** 2 + (grid[:, None] - (y - row)) ** 2
        dot = np.exp(-square / spread) * light * (1 - 0.85 * _thin(y / horizon))
        sky[row - 2 : row + 3, column - 2 : column + 3] += dot[..., None].astype(np.float32)
