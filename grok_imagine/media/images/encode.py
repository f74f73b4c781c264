"""Pictures for upload: exact if they fit under the provider's limit, else as good as fits, and without metadata."""

from __future__ import annotations

import io
import os
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

# The strictest documented limit of a provider.
MAX_BYTES = 10 * 1024 * 1024

# Pillow knows more, but among them are kinds that start other programs (EPS) or are no pictures.
READABLE = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "TGA", "PPM")
SENDABLE_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}


def encode_image(pixels: NDArray[Any], *, max_bytes: int = MAX_BYTES, formats: tuple[str, ...] = FORMATS) -> Blob:
    """``pixels``, ``[H, W, C]`` with 1, 3 or 4 channels, floats in 0..1 or uint8, as a file of at most ``max_bytes``.

    Exact, as PNG or lossless WebP, if that fits; else WebP or JPEG, whichever comes nearer to the picture, of the
    highest quality that fits; else the picture shrinks until one of them does. Only the media types in ``formats`` are
    used. Gray becomes RGB. Alpha is kept unless all is opaque; JPEG, which has none, gets a white ground. NaN becomes
    0, and values out of range are clamped.

    Raises EncodeError for another shape or type of array, and if nothing at all fits.
    """
    return compress(to_picture(pixels), max_bytes, formats)


def read_image(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES, formats: tuple[str, ...] = FORMATS) -> Blob:
    """The picture file at ``path``, ready for upload.

    Its own bytes if they are one of ``formats``, at most ``max_bytes``, and hold no metadata; else it is turned
    upright, converted to sRGB, and encoded as by :func:`encode_image`. Of an animation, the first picture is taken.

    Raises EncodeError if the file cannot be read as a picture.
    """
    name = Path(path).name
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise EncodeError(f"The picture {name} cannot be read: {error.strerror or error}.") from error
    try:
        picture = _open(data)
        media_type = sniff(data)
        if media_type in formats and len(data) <= max_bytes and picture.mode in SENDABLE_MODES and is_bare(data):
            return Blob(data, media_type)
        picture = plain(_to_srgb(_upright(picture)))
    except EncodeError as error:
        raise EncodeError(f"{name} cannot be used: {error}.") from error
    # Pillow's readers raise nearly anything for a damaged file; a picture of absurd size is refused here, too.
    except Exception as error:
        raise EncodeError(f"{name} cannot be read as a picture. Use a JPEG, PNG or WebP file.") from error
    return compress(picture, max_bytes, formats)


def _open(data: bytes) -> Image.Image:
    Image.init()
    picture = Image.open(io.BytesIO(data), formats=[kind for kind in READABLE if kind in Image.OPEN])
    picture.load()
    return picture


def _upright(picture: Image.Image) -> Image.Image:
    # Damaged EXIF does not make the picture useless.
    with suppress(Exception):
        return ImageOps.exif_transpose(picture)
    return picture


def _to_srgb(picture: Image.Image) -> Image.Image:
    """Without its profile a picture is taken for sRGB, so its values must be. A broken profile is ignored."""
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return picture
    mode = "RGBA" if picture.mode == "RGBA" else "RGB"
    with suppress(ImageCms.PyCMSError, OSError, ValueError):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.ImageCmsProfile(cast(Any, ImageCms).createProfile("sRGB"))
        return ImageCms.profileToProfile(picture, source, target, outputMode=mode) or picture
    return picture
