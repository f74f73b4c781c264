"""Colour grades for edits: each looks clearly unlike the source, and unlike the others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .canvas import Planes
from .colour import Bytes, Floats


@dataclass(frozen=True, slots=True)
class Grade:
    """One look, as numbers."""

    name: str
    colour: float
    """How much of the source's own colour is left."""
    shadow: tuple[int, int]
    """Blue and red difference added in the dark."""
    light: tuple[int, int]
    contrast: float
    lift: int
    words: tuple[str, ...] = ()


GRADES = (
    Grade("teal and orange", 0.75, (16, -14), (-22, 20), 1.15, 0, ("cinematic", "film", "movie")),
    Grade("moonlight", 0.35, (26, -12), (12, -8), 1.05, -22, ("night", "moon", "dark", "blue")),
    Grade("old print", 0.15, (-14, 10), (-22, 14), 0.9, 10, ("old", "vintage", "retro", "sepia")),
    Grade("silver", 0.0, (2, -1), (1, 0), 1.3, 0, ("noir", "black", "monochrome", "white")),
    Grade("rose", 0.65, (10, 8), (-2, 22), 0.95, 12, ("dream", "pink", "soft", "sunset", "warm")),
    Grade("forest", 0.7, (-8, -16), (-16, -4), 1.08, -4, ("green", "forest", "matrix", "jungle")),
)


class Grading:
    """A look chosen by the prompt, ready to be laid over frames."""

    def __init__(self, prompt: str) -> None:
        words = set(prompt.lower().replace(",", " ").split())
        most = max(len(words.intersection(g.words)) for g in GRADES)
        fitting = [g for g in GRADES if len(words.intersection(g.words)) == most]
        pick = hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).digest()[0]
        self.grade = grade = fitting[pick % len(fitting)]
        levels = np.arange(256, dtype=np.float32)
        share = np.clip((levels - 16) / 219, 0, 1)
        curve = share + (grade.contrast - 1) * np.sin((share - 0.5) * np.pi * 2) * -0.16
        self._luma = np.clip(16 + 219 * curve + grade.lift * (1 - share), 16, 235).astype(np.uint8).tolist()
        self._tint = [grade.shadow[k] + (grade.light[k] - grade.shadow[k]) * share for k in range(2)]

    def apply(self, frame: Planes) -> Planes:
        small = np.asarray(frame.y.reduce(2))
        return Planes(
            frame.y.point(self._luma),
            self._chroma(frame.u, small, self._tint[0]),
            self._chroma(frame.v, small, self._tint[1]),
        )

    def _chroma(self, plane: Image.Image, luma: Bytes, tint: Floats) -> Image.Image:
        kept = (np.asarray(plane, np.float32) - 128) * self.grade.colour
        return Image.fromarray(np.clip(kept + tint[luma] + 128.5, 16, 240).astype(np.uint8))
