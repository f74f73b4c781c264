"""The caption at the bottom left: the prompt, the running time, and the word that says this is the sandbox."""

from __future__ import annotations

import textwrap

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .planes import Planes

# The first that can write all of the prompt, else the one that can write most; Pillow's own is always there.
_FACES = ("DejaVuSans.ttf", "NotoSansCJK-Regular.ttc", "msyh.ttc", "YuGothM.ttc", "PingFang.ttc", "Arial Unicode.ttf")
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def _fonts(size: int) -> list[Font]:
    found: list[Font] = []
    for name in _FACES:
        try:
            found.append(ImageFont.truetype(name, size))
        except OSError:
            continue
    return [*found, ImageFont.load_default(size)]


def _known(text: str, font: Font) -> str:
    """The text without what the font cannot write: a missing character is drawn as the same box as any other."""
    missing = bytes(font.getmask("\U0010fffe"))
    distinct = {c for c in text if c.isprintable() and not "\ud800" <= c <= "\udfff"}
    known = {c for c in distinct if bytes(font.getmask(c)) != missing}
    return " ".join("".join(c if c in known else " " if c.isspace() else "" for c in text).split())


class Caption:
    """Its words are drawn when the running time's second changes; each frame then costs two or three pastes."""

    def __init__(self, prompt: str, seconds: float, size: tuple[int, int], *, blur: bool) -> None:
        """`blur` is for a source video, which may bring a caption of its own."""
        unit, self._seconds, self._second, self._blur = min(size) / 720, round(seconds), -1, blur
        self._margin, height = round(40 * unit), round(max(24 * unit, 15))
        prompt = textwrap.shorten(prompt, 400, placeholder="…") or prompt[:400]
        self._font, text = max(((f, _known(prompt, f)) for f in _fonts(height)), key=lambda pair: len(pair[1]))
        self._small, self._step = _fonts(round(max(16 * unit, 11)))[0], height * 1.38
        room = min(size[0] - 2 * self._margin, 900 * unit)
        letters = int(0.94 * room * len(text) / max(self._font.getlength(text), 1))
        self._lines = textwrap.wrap(text, max(letters, 2), max_lines=2, placeholder="…")
        tall = round(95 * unit) * 2
        self._top = size[1] - tall
        across = np.clip(1.3 - np.arange(size[0]) / (1200 * unit), 0, 1)
        down = np.sin(np.linspace(0, np.pi / 2, tall))[:, None]
        self._shade = Image.fromarray((across**2 * down * (150 if blur else 125)).astype(np.uint8))
        self._glass = Image.fromarray((np.clip(across * 2, 0, 1) * np.clip(down * 3, 0, 1) * 255).astype(np.uint8))
        self._words = Image.new("L", self._shade.size)

    def paint(self, frame: Planes, seconds: float) -> None:
        if int(seconds) != self._second:
            self._second = int(seconds)
            self._write()
        if self._blur:
            behind = frame.crop(self._top, frame.y.height)
            coarse = (plane.resize((plane.width // 40 + 1, 4), Image.Resampling.BOX) for plane in behind)
            soft = [c.resize(p.size, Image.Resampling.BICUBIC) for c, p in zip(coarse, behind, strict=True)]
            frame.paste(tuple(soft), self._top, self._glass)
        frame.y.paste(16, (0, self._top), self._shade)
        frame.paste((235, 128, 128), self._top, self._words)

    def _write(self) -> None:
        now, end = self._second, self._seconds
        clock = f"{now // 60:02d}:{now % 60:02d} / {end // 60:02d}:{end % 60:02d}   sandbox"
        self._words.paste(0, (0, 0, *self._words.size))
        draw, bottom = ImageDraw.Draw(self._words), self._words.height - self._margin
        draw.text((self._margin, bottom), clock, font=self._small, fill=170, anchor="ls")
        for number, line in enumerate(reversed(self._lines)):
            place = bottom - round(self._step * (1.05 + number))
            draw.text((self._margin, place), line, font=self._font, fill=240, anchor="ls")
