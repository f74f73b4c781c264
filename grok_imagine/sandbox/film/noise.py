"""Smooth random shapes that repeat without a seam: skylines in one dimension, clouds in two."""

from __future__ import annotations

from typing import cast

import numpy as np
from PIL import Image

from .colour import Floats


def skyline(
    rng: np.random.Generator, width: int, cells: int, *, octaves: int = 6, fall: float = 0.5, ridged: float = 0.0
) -> Floats:
    """A periodic line in 0..1. `ridged` turns soft hills (0) into peaks (1)."""
    total = np.zeros(width, np.float32)
    weight, sum_of_weights = 1.0, 0.0
    for octave in range(octaves):
        count = min(cells * 2**octave, width // 2)
        knots = cast(Floats, rng.random(count, dtype=np.float32))
        value = _periodic(knots, width)
        if ridged:
            value = (1 - ridged) * value + ridged * (1 - np.abs(2 * value - 1))
        total += weight * value
        sum_of_weights += weight
        weight *= fall
    total /= sum_of_weights
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)


def _periodic(knots: Floats, width: int) -> Floats:
    """Cosine interpolation between knots on a circle."""
    place = np.arange(width, dtype=np.float32) * (len(knots) / width)
    left = np.floor(place).astype(int)
    share = (1 - np.cos((place - left) * np.pi)) / 2
    return knots[left % len(knots)] * (1 - share) + knots[(left + 1) % len(knots)] * share


def cloud(rng: np.random.Generator, height: int, width: int, across: int, down: int, octaves: int = 5) -> Floats:
    """A horizontally periodic field in 0..1."""
    total = np.zeros((height, width), np.float32)
    weight, sum_of_weights = 1.0, 0.0
    for octave in range(octaves):
        columns, rows = min(across * 2**octave, width), min(down * 2**octave, height)
        grid = rng.random((rows + 4, columns), dtype=np.float32)
        # Two spare columns at either side make the bicubic filter see the neighbours across the seam.
        wrapped = np.concatenate([grid[:, -2:], grid, grid[:, :2]], axis=1)
        box = (2, 2, 2 + columns, 2 + rows)
        grown = Image.fromarray(wrapped).resize((width, height), Image.Resampling.BICUBIC, box=box)
        total += weight * np.asarray(grown, np.float32)
        sum_of_weights += weight
        weight *= 0.5
    return np.clip(total / sum_of_weights, 0.0, 1.0)


def smoothstep(low: float, high: float, value: Floats) -> Floats:
    """From 0 at `low` to 1 at `high`, level at both ends."""
    share = np.clip((value - low) / (high - low), 0.0, 1.0)
    return share * share * (3 - 2 * share)
