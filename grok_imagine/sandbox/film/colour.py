"""Colour: gradients in Oklab, linear light for glows, and the way to BT.709 video levels."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

# Single precision throughout, for speed; the type allows double because sums of small arrays may give it.
Floats = NDArray[np.floating[Any]]
Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]

# Oklab by Björn Ottosson, 2020 (public domain): linear sRGB -> cone response -> lightness and two opponents.
_TO_LMS: Doubles = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB: Doubles = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def from_hex(text: str) -> Floats:
    """ "#rrggbb" as linear light."""
    raw = np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255
    return to_linear(raw)


def to_linear(srgb: Floats) -> Floats:
    """sRGB values (0..1) as linear light."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_display(linear: Floats) -> Floats:
    """Linear light to display values. A square-root curve is near enough to sRGB and many times faster."""
    low = np.clip(linear, 0.0, 1.0)
    root = np.sqrt(low)
    # sRGB approximated by roots (maximum error below half an 8-bit step, by C. Summers' fit).
    return (0.585122381 * root + 0.783140355 * np.sqrt(root) - 0.368262736 * np.sqrt(np.sqrt(root))).astype(np.float32)


def mix(a: Floats, b: Floats, share: Any) -> Floats:
    """Between two linear colours, by eye: the middle of orange and blue is not mud."""
    lab = _lab(a) + (_lab(b) - _lab(a)) * np.asarray(share, np.float64)[..., None]
    return _unlab(lab)


def gradient(stops: list[Floats], where: Floats) -> Floats:
    """Colours along evenly spaced stops at the places `where` (0 to 1), smooth at the stops."""
    labs = np.stack([_lab(stop) for stop in stops])
    places = np.linspace(0.0, 1.0, len(stops))
    # Blurring a finely sampled polyline rounds its corners, so no stop shows as a band.
    fine = np.linspace(0.0, 1.0, 512)
    line = np.stack([np.interp(fine, places, labs[:, i]) for i in range(3)], axis=-1)
    kernel = np.hanning(97)
    padded = np.pad(line, ((48, 48), (0, 0)), mode="edge")
    soft = np.stack([np.convolve(padded[:, i], kernel / kernel.sum(), mode="valid") for i in range(3)], axis=-1)
    along: Doubles = np.stack([np.interp(where, fine, soft[:, i]).astype(np.float64) for i in range(3)], axis=-1)
    return _unlab(along)


def to_yuv(linear: Floats, rng: np.random.Generator) -> tuple[Bytes, Bytes, Bytes]:
    """A linear picture (h, w, 3) as BT.709 video-range planes, dithered: the sky is where banding would show."""
    shown = to_display(linear)
    red, green, blue = shown[..., 0], shown[..., 1], shown[..., 2]
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    cb, cr = (blue - luma) / 1.8556, (red - luma) / 1.5748
    return (
        _quantise(16 + 219 * luma, rng),
        _quantise(128 + 224 * _halve(cb), rng),
        _quantise(128 + 224 * _halve(cr), rng),
    )


def yuv_of(linear: Floats) -> tuple[int, int, int]:
    """One colour as video levels."""
    planes = to_yuv(np.broadcast_to(linear, (2, 2, 3)).astype(np.float32), np.random.default_rng(0))
    return int(planes[0][0, 0]), int(planes[1][0, 0]), int(planes[2][0, 0])


def _halve(plane: Floats) -> Floats:
    return (plane[0::2, 0::2] + plane[1::2, 0::2] + plane[0::2, 1::2] + plane[1::2, 1::2]) / 4


def _quantise(plane: Floats, rng: np.random.Generator) -> Bytes:
    """Round with triangular noise of one step, which turns bands into an even, invisible grain."""
    noise = rng.random(plane.shape, dtype=np.float32) + rng.random(plane.shape, dtype=np.float32) - 0.5
    return np.clip(plane + noise, 16, 240).astype(np.uint8)


def _lab(linear: Floats) -> Doubles:
    response = cast(Doubles, np.asarray(linear, np.float64) @ _TO_LMS.T)
    return cast(Doubles, np.cbrt(response) @ _TO_LAB.T)


def _unlab(lab: Doubles) -> Floats:
    response = cast(Doubles, lab @ np.linalg.inv(_TO_LAB).T)
    linear = cast(Doubles, response**3 @ np.linalg.inv(_TO_LMS).T)
    return np.maximum(linear, 0).astype(np.float32)
