"""Encodes images for upload without metadata: lossless if that fits the size limit, else as good as fits."""

from __future__ import annotations

import io
import os
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from ...errors import EncodeError
from ...models.blob import Blob
from .compress import FORMATS, compress
from .image_format import is_bare, sniff
from .pixels import plain, to_picture

__all__ = ["FORMATS", "MAX_BYTES", "encode_image", "read_image", "sniff"]

# The strictest documented limit is 10 MB, which may mean 10,000,000 bytes or 10 MiB.
MAX_BYTES = 9_999_999

# More than 8,192 × 8,192, and where Pillow warns too. Each step of reading takes 3 to 4 bytes per pixel.
MAX_PIXELS = 89_478_485

# Pillow reads more formats, but some start other programs (EPS) or are not images.
READABLE = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "TGA", "PPM")
SENDABLE_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}


def encode_image(pixels: NDArray[Any], *, max_bytes: int = MAX_BYTES, formats: tuple[str, ...] = FORMATS) -> Blob:
    """``pixels``, ``[H, W, C]`` with 1, 3 or 4 channels, floats in 0..1 or uint8, as a file of at most ``max_bytes``.

    See :func:`.compress.compress` for the choice among the media types in ``formats``. Gray becomes RGB. Alpha is kept
    unless all pixels are opaque. NaN becomes 0, and values out of range are clamped.

    Raises EncodeError for another shape or type of array, or if nothing fits.
    """
    return compress(to_picture(pixels), max_bytes, formats)


def read_image(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES, formats: tuple[str, ...] = FORMATS) -> Blob:
    """The image file at ``path``, ready for upload.

    Its own bytes if they are one of ``formats``, at most ``max_bytes``, and have no metadata; else it is made upright,
    converted to sRGB, and encoded as by :func:`encode_image`. Of an animation, the first image is used.

    Raises EncodeError if the file cannot be read as an image, or has more than ``MAX_PIXELS``.
    """
    name = Path(path).name
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise EncodeError(f"The image {name} cannot be read: {error.strerror or error}.") from error
    try:
        picture = _open(data)
        media_type = sniff(data)
        if media_type in formats and len(data) <= max_bytes and picture.mode in SENDABLE_MODES and is_bare(data):
            return Blob(data, media_type)
        picture = plain(_to_srgb(_upright(picture)))
    except EncodeError as error:
        raise EncodeError(f"{name} {error}") from None
    # Pillow raises nearly anything for a damaged file.
    except Exception as error:
        raise EncodeError(f"{name} cannot be read as an image. Use a JPEG, PNG or WebP file.") from error
    return compress(picture, max_bytes, formats)


def _open(data: bytes) -> Image.Image:
    Image.init()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # refused below
        picture = Image.open(io.BytesIO(data), formats=[kind for kind in READABLE if kind in Image.OPEN])
    if picture.width * picture.height > MAX_PIXELS:
        raise EncodeError(
            f"is {picture.width} × {picture.height} pixels; use at most {MAX_PIXELS / 1e6:.0f} million pixels. "
            "It was not decoded."
        )
    picture.load()
    return picture


def _upright(picture: Image.Image) -> Image.Image:
    # Damaged EXIF is ignored.
    with suppress(Exception):
        return ImageOps.exif_transpose(picture)
    return picture


def _to_srgb(picture: Image.Image) -> Image.Image:
    """Convert the image by its color profile, since without one it counts as sRGB. A broken profile is ignored."""
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return picture
    mode = "RGBA" if picture.mode == "RGBA" else "RGB"
    with suppress(ImageCms.PyCMSError, OSError, ValueError):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.ImageCmsProfile(cast(Any, ImageCms).createProfile("sRGB"))
        return ImageCms.profileToProfile(picture, source, target, outputMode=mode) or picture
    return picture
