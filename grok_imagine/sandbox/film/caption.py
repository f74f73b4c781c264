"""The caption at the bottom left: the prompt, the running time, and the word that says this is the sandbox."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from .canvas import Planes
from .colour import Floats

# Tried in this order, the first that can write most of the prompt wins; Pillow's own font is always there.
_FACES = (
    "DejaVuSans.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKjp-Regular.otf",
    "msyh.ttc",
    "YuGothM.ttc",
    "PingFang.ttc",
    "Arial Unicode.ttf",
    "LiberationSans-Regular.ttf",
    "arial.ttf",
)
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_WHITE = 235
_FADE = 0.7


@lru_cache(maxsize=64)
def _face(name: str, size: int) -> Font | None:
    if not name:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(name, size)
    except (OSError, ValueError):
        return None


def _writes(font: Font, character: str) -> bool:
    """Whether the font has this character: a missing one is drawn as the same box as any other."""
    if character.isspace():
        return True
    drawn: Any = font.getmask(character)
    missing: Any = font.getmask("\U0010fffe")
    return bytes(drawn) != bytes(missing)


def font_for(text: str, size: int) -> tuple[Font, str]:
    """The font that can write most of the text, and the text without what even that one cannot write."""
    best: tuple[int, Font, str] | None = None
    distinct = set(text[:400])
    for name in (*_FACES, ""):
        font = _face(name, size)
        if font is None:
            continue
        known = {c for c in distinct if c.isprintable() and _writes(font, c)}
        written = "".join(c if c in known else " " if c.isspace() else "" for c in text)
        if best is None or len(known) > best[0]:
            best = (len(known), font, " ".join(written.split()))
        if len(known) == len(distinct):
            break
    if best is None:
        raise OSError("Pillow has no scalable font here")
    return best[1], best[2]


def wrap(text: str, font: Font, room: float, lines: int) -> list[str]:
    """Break into at most so many lines, at spaces where there are any; the last one ends in an ellipsis."""
    out: list[str] = []
    rest = text.strip()
    while rest and len(out) < lines:
        end = len(rest)
        if font.getlength(rest) > room:
            end = _fit(rest, font, room)
            if len(out) == lines - 1:
                cut = _fit(rest, font, room - font.getlength("…"))
                return [*out, rest[:cut].rstrip(" ,.;:") + "…"]
            space = rest.rfind(" ", 0, end + 1)
            end = space if space > end // 2 else end
        out.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return out


def _fit(text: str, font: Font, room: float) -> int:
    low, high = 1, min(len(text), 400)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if font.getlength(text[:middle]) <= room else (low, middle - 1)
    return low


class Frost:
    """Clouded glass over the place of a caption: a source that has one already keeps its words to itself."""

    def __init__(self, width: int, height: int) -> None:
        unit = min(width, height) / 720
        wide = min(width, round(1040 * unit)) // 32 * 32
        tall = max(min(height, round(190 * unit)) // 32 * 32, 32)
        self._box = (0, height - tall, max(wide, 32), height)
        across = np.clip((wide - np.arange(wide, dtype=np.float32)) / (110 * unit), 0, 1)[None, :]
        down = np.clip(np.arange(tall, dtype=np.float32) / (48 * unit), 0, 1)[:, None]
        self._mask = Image.fromarray((255 * across * across * (3 - 2 * across) * down).astype(np.uint8))
        self._half = self._mask.reduce(2)

    def paint(self, frame: Planes) -> None:
        for plane, mask, scale in ((frame.y, self._mask, 1), (frame.u, self._half, 2), (frame.v, self._half, 2)):
            box = (self._box[0], self._box[1] // scale, self._box[2] // scale, self._box[3] // scale)
            piece = plane.crop(box)
            coarse = piece.resize(
                (max(piece.width // 40 * scale, 1), max(piece.height // 40 * scale, 1)), Image.Resampling.BOX
            )
            plane.paste(coarse.resize(piece.size, Image.Resampling.BICUBIC), box[:2], mask)


class Caption:
    """Drawn once; a frame costs three pastes, and the clock one more when its second changes."""

    def __init__(self, prompt: str, seconds: float, width: int, height: int, accent: tuple[int, int, int]) -> None:
        unit = min(width, height) / 720
        self._seconds, self._accent = seconds, accent
        size, small = round(max(24 * unit, 15)), round(max(16 * unit, 11))
        font, text = font_for(prompt[:600], size)
        self._small = _face("DejaVuSans.ttf", small) or ImageFont.load_default(small)
        margin = round(40 * unit)
        room = min(width - 2 * margin, 900 * unit)
        lines = wrap(text, font, room, 2)
        step = round(size * 1.38)
        self._left = margin // 2 * 2
        self._clock_y = height - margin - small
        top = self._clock_y - round(10 * unit) - step * len(lines)
        self._rule = (
            self._left,
            (top - round(12 * unit)) // 2 * 2,
            max(round(34 * unit) // 2 * 2, 8),
            max(round(3 * unit) // 2 * 2, 2),
        )
        # The words' own part of the frame, with room for their glow; even, for the chroma's sake.
        self._top = max(int(top - 20 * unit), 0) // 2 * 2
        self._text = Image.new("L", (width, (height - self._top) // 2 * 2), 0)
        draw = ImageDraw.Draw(self._text)
        for k, line in enumerate(lines):
            draw.text((self._left, top + k * step - self._top), line, font=font, fill=240)
        self._shade = self._vignette(width, height, top - 40 * unit)
        self._clocks: dict[str, Image.Image] = {}
        self._glow = self._text.filter(ImageFilter.GaussianBlur(5 * unit)).point(
            [min(v * 0.55, 255) for v in range(256)]
        )

    @staticmethod
    def _vignette(width: int, height: int, top: float) -> Image.Image:
        """Darker corners, and a soft ground under the words, in one mask."""
        across = (np.arange(width, dtype=np.float32) / width - 0.5)[None, :]
        down = (np.arange(height, dtype=np.float32) / height - 0.5)[:, None]
        corners: Floats = np.clip((across**2 + down**2) * 2 - 0.45, 0, 1) ** 1.5 * 0.42
        floor = np.clip((np.arange(height, dtype=np.float32) - top) / max(height - top, 1), 0, 1)[:, None]
        left = np.clip(1.25 - np.arange(width, dtype=np.float32) / (width * 0.8), 0, 1)[None, :]
        ground = 0.46 * np.sin(floor * np.pi / 2) * left * left
        grain = np.random.default_rng(1).random((height, width), dtype=np.float32)
        return Image.fromarray(((1 - (1 - corners) * (1 - ground)) * 255 + grain).astype(np.uint8))

    def paint(self, frame: Planes, seconds: float) -> None:
        frame.y.paste(16, (0, 0), self._shade)
        text, glow, clock = self._text, self._glow, self._clock(seconds)
        if seconds < _FADE:
            share = seconds / _FADE
            fade = [int(v * share * share * (3 - 2 * share)) for v in range(256)]
            text, glow, clock = text.point(fade), glow.point(fade), clock.point(fade)
        frame.y.paste(16, (0, self._top), glow)
        frame.y.paste(_WHITE, (0, self._top), text)
        frame.y.paste(_WHITE, (self._left, self._clock_y), clock)
        small = text.reduce(2)
        frame.u.paste(128, (0, self._top // 2), small)
        frame.v.paste(128, (0, self._top // 2), small)
        x, y, wide, tall = self._rule
        visible = Image.new("L", (wide, tall), round(255 * min(seconds / _FADE, 1.0)))
        frame.y.paste(self._accent[0], (x, y), visible)
        half = visible.resize((wide // 2, tall // 2))
        frame.u.paste(self._accent[1], (x // 2, y // 2), half)
        frame.v.paste(self._accent[2], (x // 2, y // 2), half)

    def _clock(self, seconds: float) -> Image.Image:
        now, end = int(seconds), round(self._seconds)
        label = f"{now // 60:02d}:{now % 60:02d} / {end // 60:02d}:{end % 60:02d}   sandbox"
        if label not in self._clocks:
            box = self._small.getbbox(label)
            picture = Image.new("L", (int(box[2]) + 4, int(box[3]) + 4), 0)
            ImageDraw.Draw(picture).text((0, 0), label, font=self._small, fill=165)
            self._clocks = {label: picture}
        return self._clocks[label]
