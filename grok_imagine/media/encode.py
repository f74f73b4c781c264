"""Pictures for upload: exact if they fit under the provider's limit, else as good as fits, and without metadata."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, features

from ..errors import EncodeError
from ..models.blob import Blob
from .kinds import JPEG, PNG, WEBP, is_bare, sniff
from .pixels import plain, to_picture

__all__ = ["FORMATS", "MAX_BYTES", "encode_image", "read_image", "sniff"]

# The strictest documented limit of a provider, and the kinds that all of them take.
MAX_BYTES = 10 * 1024 * 1024
FORMATS = (PNG, WEBP, JPEG)

# The best first. JPEG with its colours in full resolution is nearer to the original, and ten times faster, than WebP,
# which halves it; where the quality must fall, WebP is the better one. Measured by benchmarks/upload_encoding.py.
OPAQUE_RUNS = ((JPEG, (98, 96, 94, 92, 90)), (WEBP, (90, 85, 80, 75)), (JPEG, (85, 80, 75)))
ALPHA_RUNS = ((WEBP, (95, 90, 85, 80, 75)), (JPEG, (98, 94, 90, 85, 80, 75)))

# As small as zlib's usual level 6 on photos, in a third of the time.
PNG_LEVEL = 4
# A PNG is estimated by a few strips, for one that is hopeless takes seconds to write.
SMALL, STRIPS, STRIP_LINES, HOPELESS = 1_000_000, 16, 16, 1.1

# The longest side that the format can store.
LONGEST = {WEBP: 16383, JPEG: 65535, PNG: 2**31 - 1}

# Pillow knows more, but among them are kinds that start other programs (EPS) or are no pictures.
READABLE = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "TGA", "PPM")
SENDABLE_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}


def encode_image(pixels: NDArray[Any], *, max_bytes: int = MAX_BYTES, formats: tuple[str, ...] = FORMATS) -> Blob:
    """``pixels``, ``[H, W, C]`` with 1, 3 or 4 channels, floats in 0..1 or uint8, as a file of at most ``max_bytes``.

    PNG if it fits; else JPEG or, with alpha, WebP, of falling quality; else the picture shrinks until one of them fits.
    Only the media types in ``formats`` are used. Gray becomes RGB. Alpha is kept unless all is opaque; JPEG, which has
    none, gets a white ground. NaN becomes 0, and values out of range are clamped.

    Raises EncodeError for another shape or type of array, and if nothing at all fits.
    """
    return _fit(to_picture(pixels), max_bytes, formats)


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
    # Pillow's readers raise nearly anything for a damaged file; a picture of absurd size is refused here, too.
    except Exception as error:
        raise EncodeError(f"{name} cannot be read as a picture. Use a JPEG, PNG or WebP file.") from error
    return _fit(picture, max_bytes, formats)


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


def _fit(picture: Image.Image, max_bytes: int, formats: tuple[str, ...]) -> Blob:
    # Pillow can be built without WebP.
    allowed = [kind for kind in FORMATS if kind in formats and (kind != WEBP or features.check("webp"))]
    if not allowed:
        raise EncodeError(f"None of the formats can be written: {', '.join(formats) or 'none given'}.")
    current = picture
    while True:
        smallest = None
        for size, blob in _attempts(current, allowed, max_bytes):
            if blob is not None and size <= max_bytes:
                return blob
            smallest = min(smallest or size, size)
        if current.size == (1, 1):
            raise EncodeError(f"No picture fits into {max_bytes} bytes.")
        # The bytes grow with the area; a little less than the root of the excess is nearly always enough.
        ratio = math.sqrt(max_bytes / smallest) * 0.95 if smallest else 0.5
        current = _shrink(picture, max(current.size) * min(max(ratio, 0.25), 0.9))


def _attempts(picture: Image.Image, allowed: list[str], max_bytes: int) -> Iterator[tuple[int, Blob | None]]:
    """The encodings of ``picture`` with their sizes, the best first; None for one that is sure to be too large."""
    if PNG in allowed:
        size = _png_estimate(picture)
        blob = _png(picture) if size <= HOPELESS * max_bytes else None
        yield (size if blob is None else len(blob)), blob
    for media_type, qualities in ALPHA_RUNS if picture.mode == "RGBA" else OPAQUE_RUNS:
        if media_type in allowed and max(picture.size) <= LONGEST[media_type]:
            for blob in _run(picture, media_type, qualities, max_bytes):
                yield len(blob), blob


def _run(picture: Image.Image, media_type: str, qualities: tuple[int, ...], max_bytes: int) -> Iterator[Blob]:
    """Each quality in turn. If the lowest does not fit, those between are left out."""
    yield _lossy(picture, media_type, qualities[0])
    last = _lossy(picture, media_type, qualities[-1])
    if len(last) <= max_bytes:
        for quality in qualities[1:-1]:
            yield _lossy(picture, media_type, quality)
    yield last


def _shrink(picture: Image.Image, longest: float) -> Image.Image:
    scale = longest / max(picture.size)
    width, height = (max(1, int(side * scale)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _png(picture: Image.Image) -> Blob:
    return Blob(_save(picture, "PNG", compress_level=PNG_LEVEL), PNG)


def _png_estimate(picture: Image.Image) -> int:
    """How large the PNG of a large picture will be; 0 for a small one, which is soon tried."""
    width, height = picture.size
    if width * height < SMALL or height < 2 * STRIPS * STRIP_LINES:
        return 0
    tops = [strip * height // STRIPS + (height // STRIPS - STRIP_LINES) // 2 for strip in range(STRIPS)]
    strips = (picture.crop((0, top, width, top + STRIP_LINES)) for top in tops)
    return sum(len(_png(strip)) for strip in strips) * height // (STRIPS * STRIP_LINES)


def _lossy(picture: Image.Image, media_type: str, quality: int) -> Blob:
    if media_type == WEBP:
        return Blob(_save(picture, "WEBP", quality=quality), WEBP)
    if picture.mode == "RGBA":
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture).convert("RGB")
    # Full resolution of colour: the next model looks at it.
    return Blob(_save(picture, "JPEG", quality=quality, subsampling=0), JPEG)


def _save(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    try:
        cast(Any, picture).save(buffer, format=kind, **options)
    except (OSError, ValueError) as error:
        raise EncodeError(f"The picture cannot be written as {kind}: {error}") from error
    return buffer.getvalue()
