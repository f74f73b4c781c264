"""Camera moves over still pictures: slow, eased, cross-faded from one to the next."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps

from .canvas import Planes
from .colour import Bytes
from .sizes import FPS

_LARGEST = 64_000_000  # pixels; a larger picture is refused before it is unpacked
_SPARE = 1.22
_FADE_SECONDS = 0.9


class UnusableFootageError(Exception):
    """A picture or video that cannot be filmed; the text is shown to the caller."""


def open_picture(data: bytes) -> Image.Image:
    """Decode, turn upright as the camera noted, and lay transparent pictures on a neutral ground."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP"))
            if picture.width * picture.height > _LARGEST:
                raise UnusableFootageError(f"an image of {picture.width}x{picture.height} is too large")
            picture.load()
        picture = ImageOps.exif_transpose(picture)
    except UnusableFootageError:
        raise
    except Exception as error:
        raise UnusableFootageError(f"an image cannot be decoded: {type(error).__name__}") from None
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, (28, 30, 36, 255))
        picture = Image.alpha_composite(ground, picture)
    return picture.convert("RGB")


def to_planes(picture: Image.Image) -> Planes:
    """RGB to BT.709 video levels, by one matrix; sizes are even."""
    rgb = np.asarray(picture, np.float32)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    planes: list[Bytes] = [(16 + luma * (219 / 255) + 0.5).astype(np.uint8)]
    for chroma in ((blue - luma) / 1.8556, (red - luma) / 1.5748):
        half = (chroma[0::2, 0::2] + chroma[1::2, 0::2] + chroma[0::2, 1::2] + chroma[1::2, 1::2]) / 4
        planes.append(np.clip(128 + half * (224 / 255) + 0.5, 16, 240).astype(np.uint8))
    return Planes.of((planes[0], planes[1], planes[2]))


class Shot:
    """One picture under a camera that drifts and closes in."""

    def __init__(self, planes: Planes, size: tuple[int, int], seed: int, *, gentle_start: bool) -> None:
        self.planes, self.size = planes, size
        self._gentle = gentle_start
        self._zoom = 0.13 + (seed & 3) * 0.012
        angle = (seed >> 2 & 255) / 255 * 2 * np.pi
        self._pan = (float(np.cos(angle)), float(np.sin(angle)) * 0.6)
        self._inward = gentle_start or bool(seed >> 10 & 1)

    @classmethod
    def of_picture(cls, picture: Image.Image, size: tuple[int, int], seed: int, *, first: bool) -> Shot:
        large = (round(size[0] * _SPARE / 2) * 2, round(size[1] * _SPARE / 2) * 2)
        fitted = ImageOps.fit(picture, large, Image.Resampling.LANCZOS)
        return cls(to_planes(fitted), size, seed, gentle_start=first)

    def at(self, share: float) -> Planes:
        """The view at `share` (0..1) of the shot. The first shot starts on the whole picture, at rest."""
        eased = share * share * (3 - 2 * share) if self._gentle else 0.5 * share + 0.5 * share * share * (3 - 2 * share)
        close = eased if self._inward else 1 - eased
        scale = 1 / (1 + self._zoom * close)
        width, height = self.planes.y.size
        slack = 1 - scale
        x = slack * (0.5 + 0.5 * self._pan[0] * (eased if self._gentle else 2 * eased - 1))
        y = slack * (0.5 + 0.5 * self._pan[1] * (eased if self._gentle else 2 * eased - 1))
        box = (x * width, y * height, (x + scale) * width, (y + scale) * height)
        half = (box[0] / 2, box[1] / 2, box[2] / 2, box[3] / 2)
        small = (self.size[0] // 2, self.size[1] // 2)
        return Planes(
            self.planes.y.resize(self.size, Image.Resampling.BICUBIC, box=box),
            self.planes.u.resize(small, Image.Resampling.BILINEAR, box=half),
            self.planes.v.resize(small, Image.Resampling.BILINEAR, box=half),
        )


def shots_of(pictures: list[Image.Image], size: tuple[int, int], prompt: str) -> list[Shot]:
    """One shot for each picture; the prompt decides how the camera moves."""
    digest = hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).digest()
    return [
        Shot.of_picture(p, size, int.from_bytes(digest[2 * k : 2 * k + 2], "big"), first=k == 0)
        for k, p in enumerate(pictures)
    ]


def play(shots: list[Shot], count: int) -> Iterator[Planes]:
    """Frames of all the shots, each given the same time, each fading into the next."""
    fade = min(_FADE_SECONDS * FPS, count / len(shots) * 0.5) if len(shots) > 1 else 0.0
    span = (count + fade * (len(shots) - 1)) / len(shots)
    for number in range(count):
        position = number / max(span - fade, 1e-6)
        current = min(int(position), len(shots) - 1)
        start = current * (span - fade)
        frame = shots[current].at(min((number - start) / max(span - 1, 1), 1.0))
        if current > 0 and number - start < fade:
            share = (number - start + 0.5) / fade
            before = shots[current - 1].at(min((number - start + span - fade) / max(span - 1, 1), 1.0))
            frame = blend(before, frame, share * share * (3 - 2 * share))
        yield frame


def blend(a: Planes, b: Planes, share: float) -> Planes:
    """From `a` (share 0) to `b` (share 1)."""
    return Planes(Image.blend(a.y, b.y, share), Image.blend(a.u, b.u, share), Image.blend(a.v, b.v, share))
