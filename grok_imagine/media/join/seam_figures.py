"""How much two sides of a seam differ: in colour as CIE 1976 Delta E, and in loudness as loudness units."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..audio import read_audio
from ..frames.index import index_of_file
from ..frames.scale import BT709
from ..open import open_video
from .segments import Packed, planes

Floats = NDArray[np.floating[Any]]
_CELL = 12
"""Pixels of chroma in a cell, which is 24 pixels of the picture: light and shade count, details do not."""
_SILENCE = -70.0
"""LUFS. What is quieter counts as silent, as in BS.1770's absolute gate."""
WINDOW = Fraction(2, 5)
"""In seconds, of momentary loudness by EBU Tech 3341."""

# Of linear light in sRGB to XYZ relative to D65. Source: IEC 61966-2-1.
_XYZ: Floats = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], np.float32)
_WHITE: Floats = _XYZ.sum(axis=1)


def delta_e(one: Packed, other: Packed, matrix: int) -> float:
    """The mean CIE 1976 Delta E of two pictures, cell by cell. ``matrix`` is swscale's number."""
    difference = _lab(one, matrix) - _lab(other, matrix)
    return float(np.sqrt((difference**2).sum(axis=-1)).mean())


def _lab(picture: Packed, matrix: int) -> Floats:
    """L, a and b of each cell."""
    luma, *chroma = planes(picture)
    height, width = chroma[0].shape
    halved = luma[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3))
    y, u, v = (_cells(plane) for plane in (halved, *chroma))
    red, blue = (0.2126, 0.0722) if matrix == BT709 else (0.299, 0.114)
    light = (y - 16) / 219
    r, b = light + 2 * (1 - red) * (v - 128) / 224, light + 2 * (1 - blue) * (u - 128) / 224
    g = (light - red * r - blue * b) / (1 - red - blue)
    encoded: Floats = np.clip(np.stack([r, g, b], axis=-1), 0, 1)
    linear: Floats = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    ratio: Floats = np.tensordot(linear, _XYZ, (2, 1)) / _WHITE
    root: Floats = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def _cells(plane: NDArray[np.generic]) -> Floats:
    """The means of the plane's cells; of the whole plane where it is smaller than one."""
    height, width = plane.shape
    rows, columns = max(1, height // _CELL), max(1, width // _CELL)
    tall, wide = min(height, rows * _CELL), min(width, columns * _CELL)
    part = plane[:tall, :wide].astype(np.float32)
    return part.reshape(rows, tall // rows, columns, wide // columns).mean((1, 3))


def loudness_step(film: Path, at: Fraction) -> float | None:
    """The loudness of the 0.4 s after ``at`` less that of the 0.4 s before, in LU; None if either side is silent.

    ``at`` is in seconds from the first picture.
    """
    start = index_of_file(film).start
    with open_video(film) as source:
        found = read_audio(source, start + at - min(at, WINDOW), min(at, WINDOW) + WINDOW)
    if found is None:
        return None
    middle = round(min(at, WINDOW) * found.rate)
    before, after = (loudness(part, found.rate) for part in np.split(found.samples[0], [middle], axis=1))
    return None if before is None or after is None else after - before


def loudness(samples: Floats, rate: int) -> float | None:
    """The loudness of ``samples``, ``[channels, length]``, in LUFS by BS.1770, ungated; None for silence."""
    length = samples.shape[1]
    if not length:
        return None
    spectrum = np.abs(np.fft.rfft(samples, axis=1)) ** 2 * _weighting(np.fft.rfftfreq(length, 1 / rate))
    spectrum[:, 1 : (length + 1) // 2] *= 2  # the negative frequencies
    power = float(spectrum.sum()) / length**2
    value = -0.691 + 10 * math.log10(power) if power > 0 else -math.inf
    return value if value > _SILENCE else None


def _weighting(frequencies: NDArray[Any]) -> NDArray[Any]:
    """The gain in power of BS.1770's K-weighting: both filters at 48 kHz, as the standard gives them."""
    z = np.exp(-2j * np.pi * np.minimum(frequencies, 24_000) / 48_000)
    shelf = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z**2) / (
        1 - 1.69065929318241 * z + 0.73248077421585 * z**2
    )
    high_pass = (1 - 2 * z + z**2) / (1 - 1.99004745483398 * z + 0.99007225036621 * z**2)
    return np.abs(shelf * high_pass) ** 2
