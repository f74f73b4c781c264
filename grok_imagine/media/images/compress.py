"""The best-looking encoding of a picture that fits: exact if possible, else as near as it gets, else smaller.

What is nearest is not the same for every picture. WebP needs half of JPEG's bytes for the same quality, but stores
colours in half resolution; JPEG does not, and is the nearer one where many bytes are left, or where colours have hard
edges. So both are tried on a sample of the picture, and measured. ``benchmarks/upload_encoding.py`` has the figures.
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

# The kinds that all providers take. Where two are equally good, the first is taken.
FORMATS = (PNG, WEBP, JPEG)

# From the best to the worst that still looks right; then fewer pixels look better than more noise.
QUALITIES = (98, 96, 94, 92, 90, 88, 85, 82, 79, 75)

# As small as zlib's usual level 6 on photos, in a third of the time.
PNG_LEVEL = 4
# Lossless WebP at its least effort: smaller than PNG, and as fast. Transparent pixels keep their colours, as in PNG.
EXACT_WEBP: dict[str, Any] = {"lossless": True, "quality": 0, "method": 0, "exact": True}
# One that is hopeless takes seconds to write, so a large picture is first estimated by a few strips or tiles.
SMALL, STRIPS, STRIP_LINES, HOPELESS = 1_000_000, 16, 16, 1.1
# A multiple of the blocks of both formats, or the seams would cost bytes.
TILE, TILES = 128, 8
# WebP was never seen below this part of the PNG, where the PNG is of this size.
LEAST_OF_PNG = 0.5

# Of the structural similarity: its constants for 8 bits.
WINDOW, C1, C2 = 7, (0.01 * 255) ** 2, (0.03 * 255) ** 2

# WebP's lossless encoder, and its lossy one with alpha, take 20 bytes of memory for each pixel; PNG and JPEG take 3.
MOST_WEBP_PIXELS = 24_000_000

# The longest side that the format can store.
LONGEST = {WEBP: 16383, JPEG: 65535, PNG: 2**31 - 1}


def compress(picture: Image.Image, max_bytes: int, formats: tuple[str, ...]) -> Blob:
    """``picture``, RGB or RGBA, in one of ``formats`` (media types) and at most ``max_bytes``.

    Exact, as PNG or lossless WebP; else as the one of WebP and JPEG that comes nearer to it, of the highest quality
    that fits; else smaller. JPEG, which has no alpha, is used for RGBA only where WebP cannot be; it gets a white
    ground. Raises EncodeError if nothing fits.
    """
    # Pillow can be built without WebP.
    allowed = [kind for kind in FORMATS if kind in formats and (kind != WEBP or features.check("webp"))]
    if not allowed:
        raise EncodeError(f"None of the formats can be written: {', '.join(formats) or 'none given'}.")
    current = picture
    while True:
        attempt = _Attempt(current, [kind for kind in allowed if max(current.size) <= LONGEST[kind]], max_bytes)
        blob = attempt.exact() or attempt.near()
        if blob is not None:
            return blob
        if current.size == (1, 1):
            raise EncodeError(f"No picture fits into {max_bytes} bytes.")
        # The bytes grow with the area; a little less than the root of the excess is nearly always enough.
        ratio = math.sqrt(max_bytes / attempt.smallest) * 0.95 if attempt.smallest else 0.5
        current = _shrunk(picture, max(current.size) * min(max(ratio, 0.25), 0.9))


class _Attempt:
    """One picture in one size. ``smallest`` is the least that any encoding takes, 0 if none was tried."""

    def __init__(self, picture: Image.Image, allowed: list[str], max_bytes: int) -> None:
        self._picture = picture
        self._allowed = allowed
        self._max_bytes = max_bytes
        self._sample = _sample(picture)
        self._is_too_large_for_webp = _area(picture) > MOST_WEBP_PIXELS
        self._scale = _area(picture) / _area(self._sample)
        self._sampled: dict[tuple[str, int], Blob] = {}
        self.smallest = 0

    def exact(self) -> Blob | None:
        """Every pixel as it is; None if that is too large."""
        size = 0
        if PNG in self._allowed:
            size = _png_estimate(self._picture)
            blob = self._kept(_png(self._picture)) if size <= HOPELESS * self._max_bytes else None
            if blob is not None:
                return blob
            self._saw(size)
        if WEBP not in self._allowed or self._is_too_large_for_webp or size * LEAST_OF_PNG > self._max_bytes:
            return None
        estimate = len(_exact_webp(self._sample)) * self._scale
        return self._kept(_exact_webp(self._picture)) if estimate <= HOPELESS * self._max_bytes else None

    def near(self) -> Blob | None:
        """The nearest of the lossy encodings that fit; None if none does."""
        kinds = [kind for kind in (WEBP, JPEG) if kind in self._allowed]
        if self._picture.mode == "RGBA":
            kinds = kinds[:1]
            if WEBP in kinds and self._is_too_large_for_webp:
                return None  # smaller, but with its alpha
        finest = {kind: quality for kind in kinds if (quality := self._finest(kind)) is not None}
        if len(finest) > 1:  # of equals, the sort keeps the order
            kinds.sort(key=lambda kind: -self._likeness(kind, finest[kind]))
        for kind in filter(finest.__contains__, kinds):
            # Each step takes a tenth of the bytes off, which is more than the sample is usually wrong.
            for quality in QUALITIES[QUALITIES.index(finest[kind]) :]:
                blob = self._kept(self._lossy(kind, quality))
                if blob is not None:
                    return blob
        return None

    def _finest(self, kind: str) -> int | None:
        """The highest quality at which the picture should fit, by its sample; None if it never will."""
        low, high = 0, len(QUALITIES) - 1
        while low < high:
            middle = (low + high) // 2
            if self._estimate(kind, QUALITIES[middle]) <= self._max_bytes:
                high = middle
            else:
                low = middle + 1
        size = self._estimate(kind, QUALITIES[low])
        if size > HOPELESS * self._max_bytes:
            self._saw(size)
            return None
        return QUALITIES[low]

    def _estimate(self, kind: str, quality: int) -> int:
        return int(len(self._lossy_sample(kind, quality)) * self._scale)

    def _likeness(self, kind: str, quality: int) -> float:
        made = Image.open(io.BytesIO(self._lossy_sample(kind, quality).data))
        return similarity(_values(self._sample), _values(made))

    def _lossy_sample(self, kind: str, quality: int) -> Blob:
        known = self._sampled.get((kind, quality))
        if known is None:
            known = self._sampled[kind, quality] = _lossy(self._sample, kind, quality)
        return known

    def _lossy(self, kind: str, quality: int) -> Blob:
        if self._sample is self._picture:
            return self._lossy_sample(kind, quality)
        return _lossy(self._picture, kind, quality)

    def _kept(self, blob: Blob) -> Blob | None:
        self._saw(len(blob))
        return blob if len(blob) <= self._max_bytes else None

    def _saw(self, size: int) -> None:
        self.smallest = min(self.smallest or size, size or self.smallest)


def similarity(original: NDArray[np.uint8], made: NDArray[np.uint8]) -> float:
    """How alike two pictures ``[H, W, C]`` look: their structural similarity, 1 for equal ones.

    Over squares of 7 x 7 side by side, which is a 49th of the work of sliding ones; 7, so that they do not lie on
    JPEG's blocks of 8. Source: Wang et al., "Image quality assessment", 2004.
    """
    sides = [min(WINDOW, side) for side in original.shape[:2]]
    a, b = _squares(original, sides), _squares(made, sides)
    mean_a, mean_b = a.mean((1, 3)), b.mean((1, 3))
    a, b = a - mean_a[:, None, :, None], b - mean_b[:, None, :, None]
    variances, both = np.square(a).mean((1, 3)) + np.square(b).mean((1, 3)), (a * b).mean((1, 3))
    alike = (2 * mean_a * mean_b + C1) * (2 * both + C2)
    return float((alike / ((mean_a**2 + mean_b**2 + C1) * (variances + C2))).mean())


def _values(picture: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(cast(Any, picture.convert("RGB")), np.uint8)


def _squares(picture: NDArray[np.uint8], sides: list[int]) -> NDArray[np.float32]:
    """``[rows, side, columns, side, C]``; what is left over at the right and below is left out."""
    rows, columns = picture.shape[0] // sides[0], picture.shape[1] // sides[1]
    whole = picture[: rows * sides[0], : columns * sides[1]].astype(np.float32)
    return whole.reshape(rows, sides[0], columns, sides[1], -1)


def _area(picture: Image.Image) -> int:
    return picture.width * picture.height


def _sample(picture: Image.Image) -> Image.Image:
    """Tiles from all over a large picture, side by side; a small one as it is."""
    width, height = picture.size
    side = TILE * TILES
    if _area(picture) <= side * side or min(picture.size) < TILE:
        return picture
    columns, rows = min(TILES, width // TILE), min(TILES, height // TILE)
    made = Image.new(picture.mode, (columns * TILE, rows * TILE))
    for row in range(rows):
        for column in range(columns):
            # In the middle of its cell of a grid over the picture.
            left = (2 * column + 1) * width // (2 * columns) - TILE // 2
            top = (2 * row + 1) * height // (2 * rows) - TILE // 2
            made.paste(picture.crop((left, top, left + TILE, top + TILE)), (column * TILE, row * TILE))
    return made


def _shrunk(picture: Image.Image, longest: float) -> Image.Image:
    scale = longest / max(picture.size)
    width, height = (max(1, int(side * scale)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _png(picture: Image.Image) -> Blob:
    return Blob(_saved(picture, "PNG", compress_level=PNG_LEVEL), PNG)


def _png_estimate(picture: Image.Image) -> int:
    """How large the PNG of a large picture will be; 0 for a small one, which is soon tried."""
    width, height = picture.size
    if width * height < SMALL or height < 2 * STRIPS * STRIP_LINES:
        return 0
    tops = [strip * height // STRIPS + (height // STRIPS - STRIP_LINES) // 2 for strip in range(STRIPS)]
    strips = (picture.crop((0, top, width, top + STRIP_LINES)) for top in tops)
    return sum(len(_png(strip)) for strip in strips) * height // (STRIPS * STRIP_LINES)


def _exact_webp(picture: Image.Image) -> Blob:
    return Blob(_saved(picture, "WEBP", **EXACT_WEBP), WEBP)


def _lossy(picture: Image.Image, media_type: str, quality: int) -> Blob:
    if media_type == WEBP:
        return Blob(_saved(picture, "WEBP", quality=quality), WEBP)
    if picture.mode == "RGBA":
        ground = Image.new("RGB", picture.size, "white")
        ground.paste(picture, mask=picture)
        picture = ground
    # Colours in full resolution: the next model looks at them.
    return Blob(_saved(picture, "JPEG", quality=quality, subsampling=0), JPEG)


def _saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    try:
        cast(Any, picture).save(buffer, format=kind, **options)
    except (OSError, ValueError) as error:
        raise EncodeError(f"The picture cannot be written as {kind}: {error}") from error
    return buffer.getvalue()
