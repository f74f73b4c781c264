"""Encodes an image in the best quality that fits a size limit: lossless if possible, else lossy, else scaled down.

The best lossy format depends on the image. WebP needs half of JPEG's bytes for the same quality, but stores colors in
half resolution; JPEG does not, and is better with many bytes, or for colors with hard edges. So both are tried on a
sample of the image and compared. ``benchmarks/upload_encoding.py`` has the measurements.
"""

from __future__ import annotations

import io
import math
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from ...errors import EncodeError
from ...models.blob import Blob
from .image_format import JPEG, PNG, WEBP

# The formats that all providers accept. Of two equally good ones, the first is used.
FORMATS = (PNG, WEBP, JPEG)

# From the best to the worst acceptable quality; below that, fewer pixels look better than more artifacts.
QUALITIES = (98, 96, 94, 92, 90, 88, 85, 82, 79, 75)

# As small as zlib's default level 6 on photos, in a third of the time.
PNG_LEVEL = 4
# Lossless WebP at its lowest effort: smaller than PNG, and as fast. Transparent pixels keep their colors, as in PNG.
EXACT_WEBP: dict[str, Any] = {"lossless": True, "quality": 0, "method": 0, "exact": True}
# Encoding a large image takes seconds, so its size is first estimated from a few strips or tiles.
SMALL, STRIPS, STRIP_LINES, HOPELESS = 1_000_000, 16, 16, 1.1
# A multiple of both formats' block sizes, otherwise the tiles' edges would cost bytes.
TILE, TILES = 128, 8
# Lossless WebP was never smaller than this share of a large image's PNG.
LEAST_OF_PNG = 0.5

# The window and the constants of the structural similarity for 8 bits.
WINDOW, C1, C2 = 7, (0.01 * 255) ** 2, (0.03 * 255) ** 2

# WebP's lossless encoder, and its lossy one with alpha, take 20 bytes of memory for each pixel; PNG and JPEG take 3.
MOST_WEBP_PIXELS = 24_000_000

# The longest side that the format can store.
LONGEST = {WEBP: 16383, JPEG: 65535, PNG: 2**31 - 1}


def compress(picture: Image.Image, max_bytes: int, formats: tuple[str, ...]) -> Blob:
    """``picture``, RGB or RGBA, in one of ``formats`` (media types) and at most ``max_bytes``.

    Lossless, as PNG or WebP, if that fits; else lossy, as WebP or JPEG, whichever is more similar at the highest
    quality that fits; else scaled down. JPEG has no alpha, so it is used for RGBA only if WebP is not available, on a
    white background. Raises EncodeError if nothing fits.
    """
    # Pillow can be built without WebP.
    allowed = [kind for kind in FORMATS if kind in formats and (kind != WEBP or features.check("webp"))]
    if not allowed:
        raise EncodeError(f"None of the formats can be written: {', '.join(formats) or 'none given'}.")
    current = picture
    while True:
        attempt = _Attempt(current, [kind for kind in allowed if max(current.size) <= LONGEST[kind]], max_bytes)
        blob = attempt.lossless() or attempt.lossy()
        if blob is not None:
            return blob
        if current.size == (1, 1):
            raise EncodeError(f"No image fits into {max_bytes} bytes.")
        # The size grows with the area, so the side by its square root; 5 % less is nearly always enough.
        ratio = math.sqrt(max_bytes / attempt.smallest) * 0.95 if attempt.smallest else 0.5
        current = _scale_down(picture, max(current.size) * min(max(ratio, 0.25), 0.9))


class _Attempt:
    """Encodings of one image at one size. ``smallest`` is the smallest seen, in bytes; 0 before any."""

    def __init__(self, picture: Image.Image, allowed: list[str], max_bytes: int) -> None:
        self._picture = picture
        self._allowed = allowed
        self._max_bytes = max_bytes
        self._sample = _sample(picture)
        self._is_too_large_for_webp = _area(picture) > MOST_WEBP_PIXELS
        self._scale = _area(picture) / _area(self._sample)
        self._sampled: dict[tuple[str, int], Blob] = {}
        self.smallest = 0

    def lossless(self) -> Blob | None:
        """As PNG or lossless WebP; None if both are too large."""
        size = 0
        if PNG in self._allowed:
            size = _png_estimate(self._picture)
            blob = self._check_size(_png(self._picture)) if size <= HOPELESS * self._max_bytes else None
            if blob is not None:
                return blob
            self._record(size)
        if WEBP not in self._allowed or self._is_too_large_for_webp or size * LEAST_OF_PNG > self._max_bytes:
            return None
        estimate = len(_lossless_webp(self._sample)) * self._scale
        return self._check_size(_lossless_webp(self._picture)) if estimate <= HOPELESS * self._max_bytes else None

    def lossy(self) -> Blob | None:
        """The most similar lossy encoding that fits; None if none does."""
        kinds = [kind for kind in (WEBP, JPEG) if kind in self._allowed]
        if self._picture.mode == "RGBA":
            kinds = kinds[:1]
            if WEBP in kinds and self._is_too_large_for_webp:
                return None  # scaled down instead, to keep the alpha
        finest = {kind: quality for kind in kinds if (quality := self._best_quality(kind)) is not None}
        if len(finest) > 1:  # the sort is stable
            kinds.sort(key=lambda kind: -self._similarity(kind, finest[kind]))
        for kind in filter(finest.__contains__, kinds):
            # Each step saves a tenth of the bytes, more than the usual error of the sample's estimate.
            for quality in QUALITIES[QUALITIES.index(finest[kind]) :]:
                blob = self._check_size(self._encode_lossy(kind, quality))
                if blob is not None:
                    return blob
        return None

    def _best_quality(self, kind: str) -> int | None:
        """The highest quality at which the image should fit, estimated from the sample; None if none."""
        low, high = 0, len(QUALITIES) - 1
        while low < high:
            middle = (low + high) // 2
            if self._estimate(kind, QUALITIES[middle]) <= self._max_bytes:
                high = middle
            else:
                low = middle + 1
        size = self._estimate(kind, QUALITIES[low])
        if size > HOPELESS * self._max_bytes:
            self._record(size)
            return None
        return QUALITIES[low]

    def _estimate(self, kind: str, quality: int) -> int:
        return int(len(self._lossy_sample(kind, quality)) * self._scale)

    def _similarity(self, kind: str, quality: int) -> float:
        encoded = Image.open(io.BytesIO(self._lossy_sample(kind, quality).data))
        return similarity(_values(self._sample), _values(encoded))

    def _lossy_sample(self, kind: str, quality: int) -> Blob:
        known = self._sampled.get((kind, quality))
        if known is None:
            known = self._sampled[kind, quality] = _lossy(self._sample, kind, quality)
        return known

    def _encode_lossy(self, kind: str, quality: int) -> Blob:
        if self._sample is self._picture:
            return self._lossy_sample(kind, quality)
        return _lossy(self._picture, kind, quality)

    def _check_size(self, blob: Blob) -> Blob | None:
        """The blob, or None if it is too large."""
        self._record(len(blob))
        return blob if len(blob) <= self._max_bytes else None

    def _record(self, size: int) -> None:
        self.smallest = min(self.smallest or size, size or self.smallest)


def similarity(original: NDArray[np.uint8], encoded: NDArray[np.uint8]) -> float:
    """The structural similarity of two images ``[H, W, C]``; 1 for equal ones.

    Computed on adjacent squares of 7 x 7, a 49th of the work of a sliding window; 7, so that they do not coincide with
    JPEG's blocks of 8. Source: Wang et al., "Image quality assessment", 2004.
    """
    sides = [min(WINDOW, side) for side in original.shape[:2]]
    a, b = _squares(original, sides), _squares(encoded, sides)
    mean_a, mean_b = a.mean((1, 3)), b.mean((1, 3))
    a, b = a - mean_a[:, None, :, None], b - mean_b[:, None, :, None]
    variances, both = np.square(a).mean((1, 3)) + np.square(b).mean((1, 3)), (a * b).mean((1, 3))
    alike = (2 * mean_a * mean_b + C1) * (2 * both + C2)
    return float((alike / ((mean_a**2 + mean_b**2 + C1) * (variances + C2))).mean())


def _values(picture: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(cast(Any, picture.convert("RGB")), np.uint8)


def _squares(picture: NDArray[np.uint8], sides: list[int]) -> NDArray[np.float32]:
    """The image as ``[rows, side, columns, side, C]``, without the incomplete squares at the right and bottom."""
    rows, columns = picture.shape[0] // sides[0], picture.shape[1] // sides[1]
    cropped = picture[: rows * sides[0], : columns * sides[1]].astype(np.float32)
    return cropped.reshape(rows, sides[0], columns, sides[1], -1)


def _area(picture: Image.Image) -> int:
    return picture.width * picture.height


def _sample(picture: Image.Image) -> Image.Image:
    """Tiles from a grid over a large image, side by side; a small image unchanged."""
    width, height = picture.size
    side = TILE * TILES
    if _area(picture) <= side * side or min(picture.size) < TILE:
        return picture
    columns, rows = min(TILES, width // TILE), min(TILES, height // TILE)
    sample = Image.new(picture.mode, (columns * TILE, rows * TILE))
    for row in range(rows):
        for column in range(columns):
            # In the middle of its cell of the grid.
            left = (2 * column + 1) * width // (2 * columns) - TILE // 2
            top = (2 * row + 1) * height // (2 * rows) - TILE // 2
            sample.paste(picture.crop((left, top, left + TILE, top + TILE)), (column * TILE, row * TILE))
    return sample


def _scale_down(picture: Image.Image, longest: float) -> Image.Image:
    scale = longest / max(picture.size)
    width, height = (max(1, int(side * scale)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _png(picture: Image.Image) -> Blob:
    return Blob(_save(picture, "PNG", compress_level=PNG_LEVEL), PNG)


def _png_estimate(picture: Image.Image) -> int:
    """The estimated size of a large image's PNG in bytes; 0 for a small one, which is encoded at once."""
    width, height = picture.size
    if width * height < SMALL or height < 2 * STRIPS * STRIP_LINES:
        return 0
    tops = [strip * height // STRIPS + (height // STRIPS - STRIP_LINES) // 2 for strip in range(STRIPS)]
    strips = (picture.crop((0, top, width, top + STRIP_LINES)) for top in tops)
    return sum(len(_png(strip)) for strip in strips) * height // (STRIPS * STRIP_LINES)


def _lossless_webp(picture: Image.Image) -> Blob:
    return Blob(_save(picture, "WEBP", **EXACT_WEBP), WEBP)


def _lossy(picture: Image.Image, media_type: str, quality: int) -> Blob:
    if media_type == WEBP:
        return Blob(_save(picture, "WEBP", quality=quality), WEBP)
    if picture.mode == "RGBA":
        background = Image.new("RGB", picture.size, "white")
        background.paste(picture, mask=picture)
        picture = background
    # Colors in full resolution, since a model reads this image.
    return Blob(_save(picture, "JPEG", quality=quality, subsampling=0), JPEG)


def _save(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    try:
        cast(Any, picture).save(buffer, format=kind, **options)
    except (OSError, ValueError) as error:
        raise EncodeError(f"The image cannot be written as {kind}: {error}") from error
    return buffer.getvalue()
