"""Frames: their sizes, and one frame as three greyscale planes, which Pillow pastes and resizes quickly."""

from __future__ import annotations

from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.floating[Any]]
BT709, VIDEO_RANGE = 1, 1
FPS, SAMPLE_RATE = 24, 48_000
_SHORT_SIDE = {"480p": 480, "720p": 720, "1080p": 1080}
_RATIOS = ("16:9", "9:16", "1:1", "3:2", "2:3", "4:3", "3:4")


def frame_size(tier: str, ratio: str) -> tuple[int, int]:
    """Width and height, both even for H.264. 480p widescreen is 848 wide, as everywhere, not 854."""
    across, down = map(int, ratio.split(":"))
    short = _SHORT_SIDE[tier]
    long = 848 if short == 480 and {across, down} == {16, 9} else even(short * max(across, down) / min(across, down))
    return (long, short) if across >= down else (short, long)


def size_like(tier: str, width: int, height: int) -> tuple[int, int]:
    """The size that follows a picture: its own ratio, within 9:16 and 16:9, snapped to a standard one nearby."""
    aspect, short = min(max(width / height, 9 / 16), 16 / 9), _SHORT_SIDE[tier]
    near = [size for size in (frame_size(tier, r) for r in _RATIOS) if abs(aspect * size[1] / size[0] - 1) < 0.01]
    own = (even(short * aspect), short) if aspect >= 1 else (short, even(short / aspect))
    return near[0] if near else own


def ratio_name(size: tuple[int, int]) -> str:
    """The standard ratio of a size, else its own numbers."""
    known = {frame_size(tier, ratio): ratio for tier in _SHORT_SIDE for ratio in _RATIOS}
    return known.get(size, f"{size[0]}:{size[1]}")


def even(value: float) -> int:
    """The nearest even number."""
    return round(value / 2) * 2


class Planes(NamedTuple):
    """Luma, and two colour differences at half the width and height: 4:2:0, BT.709, video range."""

    y: Image.Image
    u: Image.Image
    v: Image.Image

    def copy(self) -> Planes:
        return Planes(*(plane.copy() for plane in self))

    def paste(self, ink: tuple[Image.Image | int, ...], top: int, mask: Image.Image | None = None) -> None:
        """Lay a picture or a colour over this one where the mask is white; `top` is its first row, an even number."""
        half = mask and mask.reduce(2)
        for plane, one, shape, scale in zip(self, ink, (mask, half, half), (1, 2, 2), strict=True):
            plane.paste(one, (0, top // scale), shape)

    def to_frame(self) -> av.VideoFrame:
        frame = av.VideoFrame(*self.y.size, "yuv420p")
        for plane, image in zip(frame.planes, self, strict=True):
            memory: Any = plane
            rows = np.frombuffer(memory, np.uint8).reshape(plane.height, plane.line_size)  # as long as ours, or longer
            rows[:, : plane.width] = np.asarray(image)
        frame.colorspace, frame.color_range = BT709, VIDEO_RANGE
        return frame


def from_frame(frame: av.VideoFrame, size: tuple[int, int]) -> Planes:
    """A decoded frame at another size."""
    scaled = frame.reformat(*size, format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
    packed = scaled.to_ndarray()
    halves = packed[size[1] :].reshape(2, size[1] // 2, size[0] // 2)
    return Planes(*(Image.fromarray(np.ascontiguousarray(plane)) for plane in (packed[: size[1]], *halves)))


def from_rgb(rgb: NDArray[np.uint8], size: tuple[int, int]) -> Planes:
    """An RGB picture (height, width, 3) at an even size."""
    return from_frame(av.VideoFrame.from_ndarray(rgb, format="rgb24"), size)
