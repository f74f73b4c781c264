"""Hills in the haze under a sun or moon, moving past at a walk: the same prompt gives the same place."""

from __future__ import annotations

import hashlib
import re

import numpy as np
from PIL import Image

from .planes import Floats, Planes, from_rgb

_STEPS = 4  # positions within a pixel that a layer is kept in; slow movement in whole pixels is seen to jump
_FINE = 2  # hills are drawn so many times as wide as they are seen
_HORIZON = 0.62
# The sky from the top to the horizon, the sun or moon, the nearest hill, and the words that ask for it.
_PALETTES = (
    ("191a44 4b2c74 a8477f f0815f ffcb8a fff1cf 140d26", "sunset dusk evening warm"),
    ("3f63a0 7f9bd0 d9aecb ffcbb5 fff0d8 fffaf0 2a2c52", "dawn morning sunrise first light pink girl flower"),
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


class _Layer:
    """A picture that stands still, seen through a mask that moves left: the haze belongs to the air, not the hill."""

    def __init__(self, ink: Planes, mask: Floats, scale: int, top: int, speed: float) -> None:
        """`mask` is 0 to 1 and drawn `scale` times as wide as it is seen; `speed` is in pixels per second."""
        rows, view, self._length = mask.shape[0], ink.y.width, mask.shape[1] // scale
        self._top, self._speed, self.solid_from = top, speed, top + rows
        self._ink, self.body = ink.crop(0, rows), ink.crop(rows, ink.y.height)
        around = Image.fromarray((np.concatenate([mask, mask[:, : (view + 1) * scale]], axis=1) * 255).astype(np.uint8))
        wide, starts = self._length + view, [step * scale / _STEPS for step in range(_STEPS)]
        boxes = [(start, 0, start + wide * scale, rows) for start in starts]
        self._masks = [around.resize((wide, rows), Image.Resampling.BILINEAR, box) for box in boxes]

    def paint(self, frame: Planes, seconds: float) -> None:
        left, step = divmod(round(self._speed * seconds * _STEPS) % (self._length * _STEPS), _STEPS)
        mask = self._masks[step]
        frame.paste(self._ink, self._top, mask.crop((left, 0, left + self._ink.y.width, mask.height)))


class Landscape:
    """Drawn once; a frame is made by moving the layers."""

    def __init__(self, prompt: str, width: int, height: int) -> None:
        digest = hashlib.sha256(prompt.strip().encode("utf-8", "surrogatepass")).digest()
        self._rng, self._width, self._height = np.random.default_rng(list(digest)), width, height
        words = {word.removesuffix("s") for word in re.findall(r"[a-z]+", prompt.lower())}
        fitting = [one for one in _PALETTES if words & set(one[1].split())] or _PALETTES
        levels = np.frombuffer(bytes.fromhex(fitting[digest[0] % len(fitting)][0]), np.uint8)
        colours = levels.reshape(-1, 3).astype(np.float32) / 255
        self._sky, self._light, self._near = colours[:5], colours[5], colours[6]
        self._air = _mix(colours[3], colours[4], 0.35)
        across = np.arange(width, dtype=np.float32) - self._rng.uniform(0.25, 0.75) * width
        down = np.arange(height, dtype=np.float32)[:, None] - self._rng.uniform(0.22, 0.42) * height
        distance = np.hypot(across, down)[..., None] / min(width, height)
        self._glow = np.exp(distance / np.float32(-0.35))
        self._base = self._ink(self._paint_sky(distance))
        hills: list[_Layer] = []
        for depth in (1.0, 0.75, 0.5, 0.25, 0.0):
            hills.insert(0, self._hill(depth, hills[0].solid_from if hills else height))
        for hill in hills:  # below its crest a hill stands still
            self._base.put(hill.body, hill.solid_from)
        self._layers = [self._cloud(), *hills]

    def frame(self, seconds: float) -> Planes:
        frame = self._base.copy()
        for layer in self._layers:
            layer.paint(frame, seconds)
        return frame

    def _ink(self, display: Floats) -> Planes:
        """Values 0 to 1, dithered so that a gradient shows no bands."""
        return from_rgb(np.clip(display * 255 + self._rng.random(display.shape, np.float32), 0, 255).astype(np.uint8))

    def _paint_sky(self, distance: Floats) -> Floats:
        """A gradient through the palette's colours, stars where it is dark, the disc and its glow."""
        place = np.linspace(0, 1 / _HORIZON, self._height, dtype=np.float32)
        stops = np.linspace(0, 1, len(self._sky))
        sky = np.stack([np.interp(place, stops, column) for column in self._sky.T], axis=-1)[:, None]
        disc = np.clip((0.045 - distance) * min(self._width, self._height) + 0.5, 0, 1)
        shine = np.maximum(0.5 * self._glow**4 + 0.32 * self._glow, disc)
        if self._sky[0].max() < 0.2:
            stars = np.clip(self._rng.random(distance.shape, np.float32) * 900 - 899, 0, 1)
            shine = np.maximum(shine, stars * np.clip(1 - 1.6 * place, 0, 1)[:, None, None])
        return _mix(sky.astype(np.float32), self._light, shine)

    def _cloud(self) -> _Layer:
        """Streaks of cloud, from noise of several sizes."""
        top, rows = self._height // 20 * 2, self._height // 5 * 2
        noise = np.zeros((rows, self._width * 3 // 2), np.float32)
        for columns in (3, 6, 12, 24):
            coarse = self._rng.random((columns + 2, columns), np.float32)
            ring = Image.fromarray(np.concatenate([coarse] * 3, axis=1))  # the left end meets the right one
            box = (columns, 0, 2 * columns, columns + 2)
            noise += np.asarray(ring.resize(noise.shape[::-1], Image.Resampling.BICUBIC, box)) / columns**0.85
        share = np.clip((noise - noise.mean()) / noise.std() * 0.45 + 0.25, 0, 1)
        edge = np.sin(np.linspace(0, np.pi, rows, dtype=np.float32))[:, None]
        ink = _mix(_mix(self._sky[3], self._light, 0.45), self._light, 0.5 * self._glow[top : top + rows])
        mask = share * share * (3 - 2 * share) * edge * 0.75
        return _Layer(self._ink(ink), mask, 1, top, self._width * 0.006)

    def _hill(self, depth: float, until: int) -> _Layer:
        """`depth` is 0 for the farthest hill and 1 for the nearest; a nearer one covers it from the row `until` on."""
        tall, length = self._height * (0.2 - 0.09 * depth), self._width * 3 // 2
        top = round(self._height * (_HORIZON - 0.16 + 0.33 * depth**1.15) / 2) * 2
        line = self._ridge(length * _FINE, depth) * tall
        if depth > 0.5:
            line += self._trees(length * _FINE, self._height * (0.055 if depth == 1 else 0.03))
        rows = round(line.max() / 2) * 2 + 2
        mask = np.clip(np.arange(rows, dtype=np.float32)[:, None] - (line.max() - line), 0, 1)
        crest = _mix(_mix(self._air, self._sky[2], 0.3 + 0.7 * depth), self._near, 0.1 + 0.85 * depth**1.3)
        down = np.clip(np.arange(until - top, dtype=np.float32) / (self._height * 0.28), 0, 1)[:, None, None]
        ink = _mix(crest, self._air, (0.75 - 0.5 * depth) * down)
        ink = _mix(ink, _mix(self._air, self._light, 0.5), (0.5 - 0.42 * depth) * self._glow[top:until])
        return _Layer(self._ink(ink), mask, _FINE, top, self._width * (0.004 + 0.035 * depth**1.7))

    def _ridge(self, count: int, depth: float) -> Floats:
        """A line of hills from 0 to 1 that meets itself at the ends: pointed far away, round near by."""
        waves = np.arange(1, 64, dtype=np.float32)
        around = np.linspace(0, 2 * np.pi, count, endpoint=False, dtype=np.float32)[:, None]
        strength = np.where(waves < 3, 0.5, 1.0) * waves ** -(1.3 + 0.6 * depth)
        curve = np.cos(around * waves + self._rng.uniform(0, 6.28, len(waves)).astype(np.float32)) @ strength
        if depth < 0.4:
            curve = 0.4 * curve - np.abs(curve)
        return (curve - curve.min()) / (curve.max() - curve.min())

    def _trees(self, count: int, tallest: float) -> Floats:
        """Firs in groups along a ridge: their height at each place."""
        tops, centre = np.zeros(count, np.float32), 0.0
        while centre < count:
            tall = tallest * self._rng.uniform(0.35, 1)
            reach = int(tall * 0.2 * _FINE) + 1
            places = np.arange(-reach, reach + 1)
            out = np.abs(places) / reach
            places = (places + int(centre)) % count
            tops[places] = np.maximum(tops[places], tall * np.clip(1 - out - 0.1 * (out * 6 % 1), 0, 1))
            far = self._rng.uniform(0.08, 0.3) if self._rng.random() < 0.8 else self._rng.uniform(0.5, 3)
            centre += tallest * _FINE * far
        return tops
