"""The caption at the bottom left: the prompt, the running time, and the word that says this is the sandbox."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .frames import Planes

_LATIN, _OTHERS = "DejaVuSans.ttf", ("NotoSansCJK-Regular.ttc", "msyh.ttc", "YuGothM.ttc", "PingFang.ttc")
_FIRST_OF_OTHERS = "\u0900"  # DejaVu has the European scripts, Hebrew and Arabic


def _font(names: tuple[str, ...], size: int) -> Any:
    for name in names:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None


class Caption:
    """Its words are drawn when the running time's second changes; each frame then costs two or three pastes."""

    def __init__(self, prompt: str, seconds: float, size: tuple[int, int], *, blur: bool) -> None:
        """`blur` is for a source video, which may bring a caption of its own."""
        unit, self._seconds, self._second, self._blur = min(size) / 720, round(seconds), -1, blur
        self._margin, height, tall = round(40 * unit), round(max(24 * unit, 15)), round(95 * unit) * 2
        text = "".join(sign if sign.isprintable() else " " for sign in prompt[:400])
        other = _font(_OTHERS, height) if max(text, default="") >= _FIRST_OF_OTHERS else None
        self._words_font = other or _font((_LATIN,), height) or ImageFont.load_default(height)
        if other is None:  # nothing here can write them, so they are left out
            text = "".join(sign for sign in text if sign < _FIRST_OF_OTHERS or "\u2000" < sign < "\u2070")
        self._clock_font = _font((_LATIN,), round(height * 0.7)) or ImageFont.load_default(round(height * 0.7))
        room, self._step = min(size[0] - 2 * self._margin, 900 * unit), height * 1.38
        letters = int(0.94 * room * len(text) / max(self._words_font.getlength(text), 1))
        self._lines = textwrap.wrap(text, max(letters, 2), max_lines=2, placeholder="…")
        self._top = size[1] - tall
        across = np.clip(1.3 - np.arange(size[0]) / (1200 * unit), 0, 1)
        down = np.sin(np.linspace(0, np.pi / 2, tall))[:, None]
        self._shade = Image.fromarray((across**2 * down * (150 if blur else 125)).astype(np.uint8))
        near = np.clip(10 - np.arange(size[0]) / (100 * unit), 0, 1)
        self._glass = Image.fromarray((near * np.clip(down * 3, 0, 1) * 255).astype(np.uint8))
        self._words = Image.new("L", self._shade.size)

    def paint(self, frame: Planes, seconds: float) -> None:
        if int(seconds) != self._second:
            self._second = int(seconds)
            self._write()
        if self._blur:
            behind = [p.crop((0, self._top * p.height // frame.y.height, *p.size)) for p in frame]
            coarse = (piece.resize((piece.width // 40 + 1, 4), Image.Resampling.BOX) for piece in behind)
            soft = [c.resize(p.size, Image.Resampling.BICUBIC) for c, p in zip(coarse, behind, strict=True)]
            frame.paste(tuple(soft), self._top, self._glass)
        frame.y.paste(16, (0, self._top), self._shade)
        frame.paste((235, 128, 128), self._top, self._words)

    def _write(self) -> None:
        clock = " / ".join(f"{one // 60:02d}:{one % 60:02d}" for one in (self._second, self._seconds))
        self._words.paste(0, (0, 0, *self._words.size))
        draw, place = ImageDraw.Draw(self._words), self._words.height - self._margin
        draw.text((self._margin, place), f"{clock}   sandbox", font=self._clock_font, fill=170, anchor="ls")
        for line in reversed(self._lines):
            place -= round(self._step)
            draw.text((self._margin, place), line, font=self._words_font, fill=240, anchor="ls")
