"""Pictures for the benchmarks and the tests, all from numbers: one like a photo, one like a rendering, and noise."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Floats = NDArray[np.float32]


def photo(width: int, height: int, seed: int = 1) -> Floats:
    """``[H, W, 3]`` in 0..1: hills under a cloudy sky, things in and out of focus, and the grain of a camera."""
    chance = np.random.default_rng(seed)
    across, down = np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32)[:, None]
    clouds = _octaves(chance, width, height, 1.1)
    picture = np.empty((height, width, 3), np.float32)
    for channel, (top, bottom, cloud) in enumerate(((0.25, 0.75, 0.5), (0.45, 0.8, 0.4), (0.8, 0.85, 0.25))):
        picture[..., channel] = top + (bottom - top) * down + cloud * np.clip(clouds - 0.45, 0, 1) * (1 - down)
    ground = _octaves(chance, width, height, 0.65)
    for layer in range(3):
        line = 0.45 + 0.15 * layer + 0.06 * np.sin(across * (7 + 5 * layer) + layer) + 0.02 * np.sin(across * 61)
        mask = np.clip((down - line[None, :]) * height / 3 + 0.5, 0, 1)
        shade = 0.2 + 0.5 * ground if layer % 2 else 0.65 * ground
        for channel, tint in enumerate(((0.55, 0.5, 0.3), (0.35, 0.6, 0.25), (0.5, 0.42, 0.3))[layer]):
            picture[..., channel] += mask * (shade * tint * 1.4 - picture[..., channel])
    picture = _with_things(picture, chance)
    grain = chance.standard_normal((height, width), np.float32) * 0.008
    picture += grain[..., None] * (0.6 + picture)
    return np.clip(picture, 0, 1, out=picture)


def rendering(width: int, height: int, seed: int = 1) -> Floats:
    """``[H, W, 3]`` in 0..1: shaded balls over a chequered floor, in strong colours with hard edges, and no grain."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    depth = np.maximum(y / height - 0.5, 1e-3)
    tiles = (np.floor((x / width - 0.5) / depth * 2) + np.floor(1 / depth)) % 2
    floor = (0.15 + 0.8 * tiles) * np.clip(depth * 4, 0, 1)
    sky = np.stack([0.1 + 0.3 * y / height, 0.2 + 0.5 * y / height, 0.9 - 0.3 * y / height], axis=-1)
    picture = np.where((y / height > 0.5)[..., None], floor[..., None] * np.float32([1, 0.9, 0.8]), sky)
    for _ in range(14):
        cx, cy, radius = chance.uniform(0, width), chance.uniform(0.3, 0.9) * height, chance.uniform(0.03, 0.14) * width
        u, v = (x - cx) / radius, (y - cy) / radius
        inside = 1 - u * u - v * v
        w = np.sqrt(np.maximum(inside, 0))
        light = np.clip(-0.5 * u - 0.6 * v + 0.62 * w, 0, 1)
        colour = np.float32(np.eye(3)[chance.integers(3)] * 0.85 + chance.uniform(0, 0.3, 3))
        ball = light[..., None] * colour + (light**40)[..., None] + 0.06
        picture = np.where((inside > 0)[..., None], ball, picture)
    return np.clip(picture, 0, 1).astype(np.float32)


def noise(width: int, height: int, seed: int = 1) -> Floats:
    """``[H, W, 3]`` in 0..1, each value by chance: the worst that a graph can hand over."""
    return np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)


KINDS = {"photo": photo, "rendering": rendering, "noise": noise}


def _octaves(chance: np.random.Generator, width: int, height: int, fall: float) -> Floats:
    """Noise of every size at once, in 0..1; with a greater ``fall`` the fine parts are weaker."""
    total, weight = np.zeros((height, width), np.float32), 0.0
    for octave in range(2, int(math.log2(min(width, height)))):
        shape = (max(2, height >> max(0, 11 - octave)), max(2, width >> max(0, 11 - octave)))
        if octave < 11:
            shape = (min(height, 2**octave), min(width, 2**octave))
        part = Image.fromarray(chance.random(shape, dtype=np.float32))
        strength = 2.0 ** (-fall * octave)
        total += strength * np.asarray(part.resize((width, height), Image.Resampling.BICUBIC))
        weight += strength
    return total / np.float32(weight)


def _with_things(picture: Floats, chance: np.random.Generator) -> Floats:
    """Stones and signs: a third of them near and out of focus, the others sharp."""
    height, width, _ = picture.shape
    for blur in (0.0, 0.6, 8.0):
        layer = Image.new("RGBA", (width, height))
        draw = ImageDraw.Draw(layer)
        for _ in range(12):
            x, y = chance.uniform(0, width), chance.uniform(0.4, 1) * height
            size = chance.uniform(0.01, 0.06) * width
            colour = (*(int(one) for one in chance.integers(20, 240, 3)), 255)
            if chance.random() < 0.5:
                draw.ellipse((x - size, y - size * 0.7, x + size, y + size * 0.7), fill=colour)
            else:
                draw.polygon([(x, y - size), (x + size, y), (x + size * 0.4, y + size), (x - size, y)], fill=colour)
        blurred = layer.filter(ImageFilter.GaussianBlur(blur * width / 4096)) if blur else layer
        values = np.asarray(blurred, np.float32) / 255
        alpha = values[..., 3:]
        picture = picture * (1 - alpha) + values[..., :3] * alpha
    return picture
