"""Hills in the haze under a sun or moon, moving past at a walk: the same prompt gives the same place."""

from __future__ import annotations

import hashlib
import re

import numpy as np
from PIL import Image

from .frames import Floats, Planes, even, from_rgb

_STEPS = 4  # positions within a pixel that a layer is kept in; slow movement in whole pixels is seen to jump
_FINE = 2  # hills are drawn so many times as wide as they are seen
_HORIZON = 0.62
# The sky from the top to the horizon, the sun or moon, the nearest hill, and the words that ask for it.
_PALETTES = (
    ("191a44 4b2c74 a8477f f0815f ffcb8a fff1cf 140d26", "sunset dusk evening warm"),
    ("3f63a0 7f9bd0 d9aecb ffcbb5 fff0d8 fffaf0 2a2c52", "dawn morning sunrise pink girl flower"),
    ("040818 0a1636 173058 32588a 6f93bd f3f6ff 030611", "night moon star space dream"),
    ("030b18 06203a 0b4552 1c7c74 79cfae eafff6 02090f", "aurora north magic alien"),
    ("2f78bd 66a6da a4d0ea dcecea fff5da fffdf2 17364a", "summer beach day sunny ocean sea dog kite"),
    ("2f5f92 7ba3c0 e3c49a f4a866 ffd79a fff6dd 54220f", "desert sand dune canyon gold golden"),
    ("231642 46367a 7d62a8 bf97c6 f1d2dc fff3fb 150c2c", "mist violet purple fantasy cat piano"),
    ("1b555f 468f8c 93c9b0 dcebc8 fff8dc fffef0 0b282c", "forest jungle green garden tree spring"),
    ("17222e 314656 5f7887 9bb0b6 dce3dc f6faf6 0b1219", "storm rain grey gray city street"),
    ("220c1e 571428 a3273b ec5a3e ffb868 ffeccb 150510", "fire red crimson lava dragon battle robot"),
    ("0b1630 203c68 5079a8 9dbcd9 e6eef6 ffffff 14233c", "snow winter ice mountain cold"),
    ("0d2038 13506a 2d8f97 8fcdbd f6e7c1 fff8e4 07161f", "lake river island boat underwater fish"),
)


def _mix(a: Floats, b: Floats, share: Floats | float) -> Floats:
    return a + (b - a) * np.asarray(share, np.float32)


def _multiple_from(count: int, step: int = 1) -> Floats:
    return np.arange(0, count, step).astype(np.float32)


class Landscape:
    """Drawn once; a frame is made by moving the hills. What shows no edges is drawn at half the size."""

    def __init__(self, prompt: str, size: tuple[int, int], seconds: float) -> None:
        digest = hashlib.sha256(prompt.strip().encode("utf-8", "surrogatepass")).digest()
        self._rng, self._seconds, (self._width, self._height) = np.random.default_rng(list(digest)), seconds, size
        words = {word.removesuffix("s") for word in re.findall(r"[a-z]+", prompt.lower())}
        fitting = [colours for colours, asking in _PALETTES if words & set(asking.split())]
        levels = bytes.fromhex(fitting[0] if fitting else _PALETTES[digest[0] % len(_PALETTES)][0])
        *sky, self._light, self._near = np.frombuffer(levels, np.uint8).reshape(-1, 3).astype(np.float32) / 255
        self._sky, self._air = np.stack(sky), _mix(sky[3], sky[4], 0.35)
        across = _multiple_from(self._width, 2) - np.float32(self._rng.uniform(0.25, 0.75) * self._width)
        down = _multiple_from(self._height, 2)[:, None] - np.float32(self._rng.uniform(0.22, 0.42) * self._height)
        distance = np.hypot(across, down)[..., None] / min(size)
        self._glow: Floats = np.exp(distance / np.float32(-0.35))
        self._base, self._hills = (
            self._ink(self._paint_sky(distance)),
            list[tuple[float, int, Planes, list[Image.Image]]](),
        )
        until = self._height
        for depth in (1.0, 0.75, 0.5, 0.25, 0.0):
            until = self._add_hill(depth, until)

    def frame(self, seconds: float) -> Planes:
        frame = self._base.copy()
        for speed, top, ink, masks in self._hills:
            left, step = divmod(round(speed * seconds * _STEPS), _STEPS)
            frame.paste(ink, top, masks[step].crop((left, 0, left + self._width, masks[step].height)))
        return frame

    def _ink(self, display: Floats) -> Planes:
        """Values 0 to 1 at half the size, dithered so that a gradient shows no bands."""
        rgb = np.clip(display * 255 + self._rng.random(display.shape, np.float32), 0, 255).astype(np.uint8)
        return from_rgb(rgb, (2 * rgb.shape[1], 2 * rgb.shape[0]))

    def _paint_sky(self, distance: Floats) -> Floats:
        """A gradient through the palette's colours, the disc and its glow, stars where it is dark, and clouds."""
        rows, columns = distance.shape[:2]
        place = _multiple_from(rows) / (rows * _HORIZON)
        channels: list[Floats] = [np.interp(place, np.linspace(0, 1, 5), self._sky[:, n]) for n in range(3)]
        disc = np.clip((0.045 - distance) * min(rows, columns) / 1.5 + 0.5, 0, 1)
        stars = np.clip(self._rng.random(distance.shape, np.float32) * 900 - 899, 0, self._sky[0].max() < 0.2)
        shine = np.maximum(0.5 * self._glow**4 + 0.32 * self._glow, disc)
        shine = np.maximum(shine, stars * np.clip(1 - 1.6 * place, 0, 1)[:, None, None])
        sky = _mix(np.stack(channels, axis=-1)[:, None].astype(np.float32), self._light, shine)
        noise = np.zeros((rows // 2, columns), np.float32)
        for size in (2, 4, 8, 16):
            coarse = Image.fromarray(self._rng.random((size * 5 // 2, size), np.float32))
            noise += np.asarray(coarse.resize((columns, rows // 2), Image.Resampling.BICUBIC)) / size**0.85
        share = np.clip((noise - noise.mean()) / noise.std() * 0.45 + 0.2, 0, 1)
        cloud = 0.75 * share**2 * (3 - 2 * share) * np.sin(np.linspace(0, np.pi, rows // 2))[:, None]
        lit = _mix(self._sky[3], self._light, 0.45 + 0.3 * self._glow[: rows // 2])
        sky[: rows // 2] = _mix(sky[: rows // 2], lit, cloud[..., None])
        return sky

    def _add_hill(self, depth: float, until: int) -> int:
        """From the nearest (`depth` 1) to the farthest (0), whose foot is hidden from the row `until` on.

        Gives the row from which this one hides those behind it.
        """
        speed = self._width * (0.004 + 0.035 * depth**1.7)  # pixels per second
        length = self._width + int(speed * self._seconds) + 2
        line = self._ridge(length * _FINE, depth) * self._height * (0.2 - 0.09 * depth)
        if depth > 0.5:
            line += self._trees(length * _FINE, self._height * (0.055 if depth == 1 else 0.03))
        top, rows = even(self._height * (_HORIZON - 0.16 + 0.33 * depth**1.15)), even(line.max()) + 2
        mask = np.clip(_multiple_from(rows)[:, None] - (line.max() - line), 0, 1)
        fine, wide = Image.fromarray((mask * 255).astype(np.uint8)), length - 1
        boxes = [(step * _FINE / _STEPS, 0, (step / _STEPS + wide) * _FINE, rows) for step in range(_STEPS)]
        masks = [fine.resize((wide, rows), Image.Resampling.BILINEAR, box) for box in boxes]
        crest = _mix(_mix(self._air, self._sky[2], 0.3 + 0.7 * depth), self._near, 0.1 + 0.85 * depth**1.3)
        down = np.clip(_multiple_from(until - top, 2) / (self._height * 0.28), 0, 1)[:, None, None]
        ink = _mix(crest, self._air, (0.75 - 0.5 * depth) * down)
        ink = _mix(ink, _mix(self._air, self._light, 0.5), (0.5 - 0.42 * depth) * self._glow[top // 2 : until // 2])
        self._hills.insert(0, (speed, top, self._ink(ink[: rows // 2]), masks))
        if top + rows < until:  # below its crest a hill stands still
            self._base.paste(self._ink(ink[rows // 2 :]), top + rows)
        return top + rows

    def _ridge(self, count: int, depth: float) -> Floats:
        """A line of hills from 0 to 1: pointed far away, round near by."""
        waves, places = _multiple_from(64)[1:], _multiple_from(count)[:, None] * np.float32(4 / self._width / _FINE)
        strength = np.where(waves < 3, 0.5, 1.0) * waves ** -(1.3 + 0.6 * depth)
        curve = np.cos(places * waves + self._rng.uniform(0, 6.28, 63).astype(np.float32)) @ strength
        curve = 0.4 * curve - np.abs(curve) if depth < 0.4 else curve
        return (curve - curve.min()) / (curve.max() - curve.min())

    def _trees(self, count: int, tallest: float) -> Floats:
        """Firs in groups along a ridge: their height at each place."""
        close, apart = self._rng.uniform(0.08, 0.3, count // 6), self._rng.uniform(0.5, 3, count // 6)
        gaps = np.where(self._rng.random(count // 6) < 0.8, close, apart)
        places = np.cumsum(gaps * tallest * _FINE).astype(np.float32)
        places = places[places < count, None]
        tall = tallest * self._rng.uniform(0.35, 1, places.shape).astype(np.float32)
        out = np.abs(_multiple_from(count) - places) / (tall * 0.2 * _FINE)
        return (tall * np.clip(1 - out - 0.1 * (out * 6 % 1), 0, 1)).max(axis=0)
