"""One frame in planes, and the layers that move across it by fractions of a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .colour import Bytes, Floats

# A layer is kept in this many sub-pixel positions; the eye sees steps of a whole pixel at slow speeds.
PHASES = 4


@dataclass(slots=True)
class Planes:
    """A 4:2:0 picture as three greyscale images, which Pillow pastes faster than anything in Python could."""

    y: Image.Image
    u: Image.Image
    v: Image.Image

    @classmethod
    def of(cls, planes: tuple[Bytes, Bytes, Bytes]) -> Planes:
        return cls(*(Image.fromarray(np.ascontiguousarray(plane)) for plane in planes))

    def copy(self) -> Planes:
        return Planes(self.y.copy(), self.u.copy(), self.v.copy())

    def packed(self) -> Bytes:
        """The planes one after another, in the layout of yuv420p."""
        width, height = self.y.size
        frame = np.empty((height * 3 // 2, width), np.uint8)
        frame[:height] = np.asarray(self.y)
        chroma = frame[height:].reshape(2, height // 2, width // 2)
        chroma[0], chroma[1] = np.asarray(self.u), np.asarray(self.v)
        return frame


class Mask:
    """A horizontally endless mask, ready at every sub-pixel position in luma and chroma resolution."""

    def __init__(self, phases: list[Floats], view: int) -> None:
        """`phases[k]` is the mask (0..1, height even) moved left by k/PHASES of a pixel; `view` the frame's width."""
        self.period = int(phases[0].shape[1])
        self.height = int(phases[0].shape[0])
        self.view = view
        self._luma: list[Image.Image] = [_image(_extend(phase, view)) for phase in phases]
        self._chroma: list[Image.Image] = [_image(_extend(half, view // 2)) for half in self._halves(phases)]

    @staticmethod
    def _halves(phases: list[Floats]) -> list[Floats]:
        """Chroma moves half as fast: each luma position falls on one of twice as many chroma positions."""
        halves: list[Floats] = []
        for start in (0, 1):
            for phase in phases:
                moved = np.roll(phase, -start, axis=1)
                halves.append((moved[0::2, 0::2] + moved[1::2, 0::2] + moved[0::2, 1::2] + moved[1::2, 1::2]) / 4)
        return halves

    def at(self, x: float) -> tuple[Image.Image, Image.Image]:
        """The luma and chroma masks as seen when the view's left edge stands at `x`."""
        steps: int = round(x * PHASES) % (self.period * PHASES)
        left, phase = steps // PHASES, steps % PHASES
        luma: Image.Image = self._luma[phase].crop((left, 0, left + self.view, self.height))
        half_left, odd = left // 2, left % 2
        chroma: Image.Image = self._chroma[phase + odd * PHASES]
        return luma, chroma.crop((half_left, 0, half_left + self.view // 2, self.height // 2))


def soft_phases(mask: Floats) -> list[Floats]:
    """The phases of a soft field, by interpolation."""
    following = np.roll(mask, -1, axis=1)
    return [mask + (following - mask) * (k / PHASES) for k in range(PHASES)]


class Layer:
    """Ink that stands still in the frame, seen through a mask that moves: haze belongs to the air, not to the hill.

    `ink` begins at the row `top`; what it has under the mask is painted whole, down to the row `until`.
    """

    def __init__(self, ink: Planes, mask: Mask, top: int, speed: float, start: float = 0.0) -> None:
        self.mask, self.top, self.speed, self.start = mask, top, speed, start
        """`speed` in pixels per second, to the left."""
        self._ink = ink
        self._bands = [plane.crop((0, 0, plane.width, mask.height // scale)) for plane, scale in _scaled(ink)]
        self._bodies: list[Image.Image] = []
        self.hide_below(top + ink.y.height)

    @property
    def solid_from(self) -> int:
        """The row from which nothing behind this layer is seen."""
        return self.top + self.mask.height

    def hide_below(self, until: int) -> None:
        """Paint nothing from this (even) row on: something nearer covers it."""
        depth = min(max(until - self.top, self.mask.height), self._ink.y.height)
        self._bodies = [
            plane.crop((0, self.mask.height // scale, plane.width, depth // scale))
            for plane, scale in _scaled(self._ink)
        ]

    def paint(self, frame: Planes, seconds: float) -> None:
        luma, chroma = self.mask.at(self.start + self.speed * seconds)
        for (plane, scale), band, body in zip(_scaled(frame), self._bands, self._bodies, strict=True):
            plane.paste(band, (0, self.top // scale), luma if scale == 1 else chroma)
            if body.height:
                plane.paste(body, (0, self.solid_from // scale))


def _scaled(planes: Planes) -> tuple[tuple[Image.Image, int], ...]:
    return (planes.y, 1), (planes.u, 2), (planes.v, 2)


def _extend(plane: Floats, view: int) -> Floats:
    return np.concatenate([plane, plane[:, : view + 1]], axis=1)


def _image(plane: Floats) -> Image.Image:
    return Image.fromarray((np.clip(plane, 0.0, 1.0) * 255 + 0.5).astype(np.uint8))
