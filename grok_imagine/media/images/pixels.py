"""Arrays of pixels as 8-bit pictures, whatever comes out of a graph: NaN, out of range, gray, with alpha."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import EncodeError

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
WHITES = (2**8 - 1, 2**16 - 1, 2**31 - 1)
STRIP = 1_000_000
"""How many values are converted at once: few enough for the processor's cache."""


def to_uint8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Floats in 0..1 as 0..255, rounded; beyond that range they are clamped, and NaN is 0. uint8 stays as it is.

    Raises EncodeError for other types.
    """
    if pixels.dtype == np.uint8:
        return cast("NDArray[np.uint8]", pixels)
    if pixels.dtype.kind != "f":
        raise EncodeError(f"Pixels must be floats in 0..1 or uint8, not {pixels.dtype}.")
    values = np.empty(pixels.shape, np.uint8)
    # A few lines at a time: of 40 megapixels, each copy as floats takes half a gigabyte.
    step = max(1, STRIP * len(pixels) // max(1, pixels.size))
    for top in range(0, len(pixels), step):
        # fmax and fmin prefer any number to NaN.
        strip = np.fmin(np.fmax(pixels[top : top + step], 0), 1)
        scaled: NDArray[np.float32] = np.multiply(strip, 255, dtype=np.float32)
        values[top : top + step] = np.rint(scaled, out=scaled)
    return values


def to_picture(pixels: NDArray[Any]) -> Image.Image:
    """``[H, W, C]`` with 1, 3 or 4 channels, or ``[H, W]``, as an RGB picture; RGBA if it is not all opaque.

    Values as for :func:`to_uint8`. Raises EncodeError for another shape or type, or no pixels at all.
    """
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    if pixels.ndim != 3 or pixels.shape[2] not in MODES or 0 in pixels.shape:
        raise EncodeError(f"A picture must have the shape [height, width, 1, 3 or 4], not {list(pixels.shape)}.")
    height, width, channels = pixels.shape
    values = np.ascontiguousarray(to_uint8(pixels))
    return plain(Image.frombuffer(MODES[channels], (width, height), cast(Any, values), "raw", MODES[channels], 0, 1))


def _white(picture: Image.Image) -> int:
    """The value of white: 1 for fractions, else that of the fewest bits that hold the picture's values."""
    if picture.mode.startswith("I;16"):
        return WHITES[1]
    values: NDArray[Any] = np.asarray(picture)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if picture.mode == "F" and high <= 1:
        return 1
    is_whole = values.dtype.kind != "f" or bool((values == np.rint(values)).all())
    white = next((one for one in WHITES if high <= one), None)
    if not is_whole or low < 0 or white is None:
        raise EncodeError(
            f"cannot be used: its pixels' values, {low:g} to {high:g}, have no clear range. Save it with 8 or 16 bits, "
            "or as floats from 0 to 1."
        )
    return white


def plain(picture: Image.Image) -> Image.Image:
    """``picture`` as RGB, or as RGBA if it is not all opaque, and without any metadata.

    Raises EncodeError for values of 32 bits whose range is not clear.
    """
    if picture.mode == "F" or picture.mode.startswith("I"):
        picture = Image.fromarray(_scaled(picture, _white(picture)))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        lowest, _ = cast("tuple[int, int]", picture.getchannel("A").getextrema())
        if lowest == 255:
            picture = picture.convert("RGB")
    # What a file was opened as remembers more than its pixels.
    elif picture.mode != "RGB" or type(picture) is not Image.Image:
        picture = picture.convert("RGB")
    # Pillow writes some of these into a new file by itself.
    picture.info = {}
    return picture


def _scaled(picture: Image.Image, white: int) -> NDArray[np.uint8]:
    """0..``white`` as 0..255; Pillow would cut them off at 255. A few lines at a time, as in :func:`to_uint8`."""
    values = np.empty((picture.height, picture.width), np.uint8)
    step = max(1, STRIP // picture.width)
    for top in range(0, picture.height, step):
        bottom = min(top + step, picture.height)
        strip = picture.crop((0, top, picture.width, bottom))
        values[top:bottom] = to_uint8(np.asarray(strip, dtype=np.float32) / white)
    return values
