"""Converts pixel arrays to 8-bit images. Handles NaN, values out of range, gray and alpha."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import EncodeError

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
WHITES = (2**8 - 1, 2**16 - 1, 2**31 - 1)
STRIP = 1_000_000
"""Values that are converted at a time: few enough for the processor's cache."""


def to_uint8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Convert floats in 0..1 to 0..255, rounded; clamps values out of range, and NaN becomes 0. uint8 is unchanged.

    Raises EncodeError for other types.
    """
    if pixels.dtype == np.uint8:
        return cast("NDArray[np.uint8]", pixels)
    if pixels.dtype.kind != "f":
        raise EncodeError(f"Pixels must be floats in 0..1 or uint8, not {pixels.dtype}.")
    values = np.empty(pixels.shape, np.uint8)
    # A few rows at a time, since a float copy of 40 megapixels takes half a gigabyte.
    step = max(1, STRIP * len(pixels) // max(1, pixels.size))
    for top in range(0, len(pixels), step):
        # fmax and fmin ignore NaN.
        strip = np.fmin(np.fmax(pixels[top : top + step], 0), 1)
        scaled: NDArray[np.float32] = np.multiply(strip, 255, dtype=np.float32)
        values[top : top + step] = np.rint(scaled, out=scaled)
    return values


def to_picture(pixels: NDArray[Any]) -> Image.Image:
    """``[H, W, C]`` with 1, 3 or 4 channels, or ``[H, W]``, as an RGB image; RGBA unless all is opaque.

    Values as for :func:`to_uint8`. Raises EncodeError for another shape or type, or no pixels.
    """
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    if pixels.ndim != 3 or pixels.shape[2] not in MODES or 0 in pixels.shape:
        raise EncodeError(f"An image must have the shape [height, width, 1, 3 or 4], not {list(pixels.shape)}.")
    height, width, channels = pixels.shape
    values = np.ascontiguousarray(to_uint8(pixels))
    return plain(Image.frombuffer(MODES[channels], (width, height), cast(Any, values), "raw", MODES[channels], 0, 1))


def _white(picture: Image.Image) -> int:
    """The value of white: 1 for floats up to 1, else the largest value of 8, 16 or 31 bits. Raises EncodeError."""
    if picture.mode.startswith("I;16"):
        return WHITES[1]
    values: NDArray[Any] = np.asarray(picture)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if picture.mode == "F" and high <= 1:
        return 1
    is_whole = values.dtype.kind != "f" or bool((values == np.rint(values)).all())
    white = next((value for value in WHITES if high <= value), None)
    if not is_whole or low < 0 or white is None:
        raise EncodeError(
            f"cannot be used: its pixels' values, {low:g} to {high:g}, have no clear range. Save it with 8 or 16 bits, "
            "or as floats from 0 to 1."
        )
    return white


def plain(picture: Image.Image) -> Image.Image:
    """``picture`` as RGB, or as RGBA unless all is opaque, without metadata.

    Raises EncodeError for 32-bit values of unclear range.
    """
    if picture.mode == "F" or picture.mode.startswith("I"):
        picture = Image.fromarray(_scaled(picture, _white(picture)))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        lowest, _ = cast("tuple[int, int]", picture.getchannel("A").getextrema())
        if lowest == 255:
            picture = picture.convert("RGB")
    # An image opened from a file keeps more than its pixels.
    elif picture.mode != "RGB" or type(picture) is not Image.Image:
        picture = picture.convert("RGB")
    # Pillow would write some of these into a new file.
    picture.info = {}
    return picture


def _scaled(picture: Image.Image, white: int) -> NDArray[np.uint8]:
    """Scale 0..``white`` to 0..255, which Pillow would clip. A few rows at a time, as in :func:`to_uint8`."""
    values = np.empty((picture.height, picture.width), np.uint8)
    step = max(1, STRIP // picture.width)
    for top in range(0, picture.height, step):
        bottom = min(top + step, picture.height)
        strip = picture.crop((0, top, picture.width, bottom))
        values[top:bottom] = to_uint8(np.asarray(strip, dtype=np.float32) / white)
    return values
