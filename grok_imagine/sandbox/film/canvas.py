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
        """`phases[k]` is the mask (0..1, height even) moved left by k/PHASES of a pixel; `view` is the frame's width."""
        self.period = phases[0].shape[1]
        self.height = phases[0].shape[0]
        self.view = view
        self._luma = [_image(_extend(phase, view)) for phase in phases]
        self._chroma = [_image(_extend(half, view // 2)) for half in self._halves(phases)]

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
        steps = round(x * PHASES) % (self.period * PHASES)
        left, phase = divmod(steps, PHASES)
        luma = self._luma[phase].crop((left, 0, left + self.view, self.height))
        half_left, odd = divmod(left, 2)
        chroma = self._chroma[phase + odd * PHASES]
        return luma, chroma.crop((half_left, 0, half_left + self.view // 2, self.height // 2))


def soft_phases(mask: Floats) -> list[Floats]:
    """The phases of a soft field, by interpolation."""
    following = np.roll(mask, -1, axis=1)
    return [mask + (following - mask) * (k / PHASES) for k in range(PHASES)]


@dataclass(slots=True)
class Layer:
    """Ink that stands still in the frame, seen through a mask that moves: haze belongs to the air, not to the hill."""

    ink: Planes
    mask: Mask
    top: int
    speed: float
    """Pixels per second, to the left."""
    start: float = 0.0
    solid_below: bool = True
    """Whether the ink goes on, unmasked, under the mask."""

    def paint(self, frame: Planes, seconds: float) -> None:
        luma, chroma = self.mask.at(self.start + self.speed * seconds)
        top, bottom = self.top, self.top + self.mask.height
        width, height = self.ink.y.size
        for plane, ink, mask, scale in ((frame.y, self.ink.y, luma, 1), (frame.u, self.ink.u, chroma, 2),
                                        (frame.v, self.ink.v, chroma, 2)):
            band = ink.crop((0, 0, width // scale, (bottom - top) // scale))
            plane.paste(band, (0, top // scale), mask)
            if self.solid_below and height > bottom - top:
                plane.paste(ink.crop((0, (bottom - top) // scale, width // scale, height // scale)),
                            (0, bottom // scale))


def _extend(plane: Floats, view: int) -> Floats:
    return np.concatenate([plane, plane[:, : view + 1]], axis=1)


def _image(plane: Floats) -> Image.Image:
    return Image.fromarray((np.clip(plane, 0.0, 1.0) * 255 + 0.5).astype(np.uint8))
