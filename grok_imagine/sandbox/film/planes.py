"""One frame as three greyscale planes (4:2:0, BT.709, video range), which Pillow pastes and resizes quickly."""

from __future__ import annotations

from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.floating[Any]]
BT709, BT601, UNSPECIFIED, VIDEO_RANGE = 1, (5, 6), 2, 1


class Planes(NamedTuple):
    """The picture's luma, and its two colour differences at half the width and height. Rows given are even."""

    y: Image.Image
    u: Image.Image
    v: Image.Image

    def copy(self) -> Planes:
        return Planes(*(plane.copy() for plane in self))

    def paste(self, ink: tuple[Image.Image | int, ...], top: int, mask: Image.Image) -> None:
        """Lay a picture, or one colour, over this one from the row `top` on, where the mask is white."""
        half = mask.reduce(2)
        for plane, one, shape, scale in zip(self, ink, (mask, half, half), (1, 2, 2), strict=True):
            plane.paste(one, (0, top // scale), shape)

    def put(self, ink: Planes, top: int) -> None:
        for plane, one, scale in zip(self, ink, (1, 2, 2), strict=True):
            plane.paste(one, (0, top // scale))

    def crop(self, top: int, bottom: int) -> Planes:
        return Planes(*(p.crop((0, top // s, p.width, bottom // s)) for p, s in zip(self, (1, 2, 2), strict=True)))

    def to_frame(self) -> av.VideoFrame:
        packed = np.concatenate([np.asarray(plane).reshape(-1) for plane in self]).reshape(-1, self.y.width)
        frame = av.VideoFrame.from_ndarray(packed, format="yuv420p")
        frame.colorspace, frame.color_range = BT709, VIDEO_RANGE
        return frame


def from_frame(frame: av.VideoFrame, size: tuple[int, int]) -> Planes:
    """A decoded frame at another size. Video without a colour tag is taken for what its height suggests."""
    old = frame.colorspace in BT601 or (frame.colorspace == UNSPECIFIED and frame.height < 720)
    colours = {"src_colorspace": "ITU601" if old else "ITU709", "dst_colorspace": "ITU709", "dst_color_range": "MPEG"}
    packed = frame.reformat(*size, format="yuv420p", **colours).to_ndarray()
    halves = packed[size[1] :].reshape(2, size[1] // 2, size[0] // 2)
    return Planes(*(Image.fromarray(np.ascontiguousarray(plane)) for plane in (packed[: size[1]], *halves)))


def from_rgb(rgb: NDArray[np.uint8]) -> Planes:
    """An RGB picture (height, width, 3) whose sides are even."""
    return from_frame(av.VideoFrame.from_ndarray(rgb, format="rgb24"), (rgb.shape[1], rgb.shape[0]))
