"""Films of 10 and 12 bits against the exact arithmetic of BT.601, BT.709 and BT.2020, in float64."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from grok_imagine.media.frames.decode import decode
from grok_imagine.media.frames.resize import Resize

SIZE = (96, 64)
# Luma weights of red and blue, and the tag. Source: ITU-R BT.601, BT.709 and BT.2020.
MATRICES = {"bt601": (0.299, 0.114, 6), "bt709": (0.2126, 0.0722, 1), "bt2020": (0.2627, 0.0593, 9)}
FORMATS = {"yuv420p10le": (10, 2, 2), "yuv422p10le": (10, 2, 1), "yuv444p10le": (10, 1, 1), "yuv420p12le": (12, 2, 2)}
LIMITED, FULL = 1, 2


def upsampled(chroma: np.ndarray, size: int, axis: int, shift: float) -> np.ndarray:
    """Bilinear, between samples that lie ``shift`` pixels right of, or below, every second pixel."""
    if chroma.shape[axis] == size:
        return chroma
    place = (np.arange(size) - shift) / 2
    low = np.floor(place).astype(int)
    share = np.expand_dims(place - low, 1 - axis)
    last = chroma.shape[axis] - 1
    low, high = np.clip(low, 0, last), np.clip(low + 1, 0, last)
    return np.take(chroma, low, axis) * (1 - share) + np.take(chroma, high, axis) * share


def exact(planes: list[np.ndarray], bits: int, is_full: bool, matrix: str) -> np.ndarray:
    """RGB in 0..1. Chroma lies at the left of each pair of pixels, and in the middle of two lines."""
    luma, *chroma = (plane.astype(np.float64) for plane in planes)
    height, width = luma.shape
    u, v = (upsampled(upsampled(plane, height, 0, 0.5), width, 1, 0) for plane in chroma)
    step, top = 1 << (bits - 8), (1 << bits) - 1
    luma = luma / top if is_full else (luma - 16 * step) / (219 * step)
    u, v = ((plane - 128 * step) / (top if is_full else 224 * step) for plane in (u, v))
    of_red, of_blue, _ = MATRICES[matrix]
    red, blue = luma + 2 * (1 - of_red) * v, luma + 2 * (1 - of_blue) * u
    green = (luma - of_red * red - of_blue * blue) / (1 - of_red - of_blue)
    return np.clip(np.stack([red, green, blue], -1), 0, 1)


def write(path: Any, pixel_format: str, is_full: bool, matrix: str) -> list[np.ndarray]:
    """One frame of noise in a lossless film; its planes."""
    bits, across, down = FORMATS[pixel_format]
    chance, step = np.random.default_rng(5), 1 << (bits - 8)
    width, height = SIZE
    shapes = [(height, width), (height // down, width // across), (height // down, width // across)]
    planes = [chance.integers(16 * step, 240 * step, shape).astype(np.uint16) for shape in shapes]
    frame = av.VideoFrame(width, height, pixel_format)
    for plane, values in zip(frame.planes, planes, strict=True):
        lines = np.zeros((plane.height, plane.line_size // 2), np.uint16)
        lines[:, : plane.width] = values
        plane.update(lines.tobytes())
    tag, range_ = MATRICES[matrix][2], FULL if is_full else LIMITED
    frame.colorspace, frame.color_range, frame.pts, frame.time_base = tag, range_, 0, Fraction(1, 24)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.colorspace, stream.codec_context.color_range = tag, range_
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return planes


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("is_full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("pixel_format", FORMATS)
def test_deep_colours_are_exact(tmp_path: Any, pixel_format: str, is_full: bool, matrix: str) -> None:
    """To a tenth of a step of 8 bits; a plain conversion to floats is up to 20 steps away where chroma changes."""
    path = tmp_path / "deep.mkv"
    planes = write(path, pixel_format, is_full, matrix)
    (frame,) = decode(path).frames
    apart = np.abs(frame - exact(planes, FORMATS[pixel_format][0], is_full, matrix)) * 255
    assert apart.max() < 0.1, f"mean {apart.mean():.4f}, at most {apart.max():.4f} of 255"
    assert apart.mean() < 0.01
    assert frame.min() >= 0
    assert frame.max() <= 1


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [("film.mp4", "libx264", "yuv420p10le"), ("film.mov", "prores_ks", "yuv422p10le")],
)
def test_deep_films_are_exact_upright_too(film: Any, tmp_path: Any, name: str, codec: str, pixel_format: str) -> None:
    """Of untagged films, which are BT.601 in limited range; the second one is turned."""
    turns = (None, 90) if hasattr(av.VideoStream, "set_display_rotation") else (None,)
    for rotate in turns:
        path = film(name, codec=codec, pixel_format=pixel_format, frames=6, rotate=rotate)
        frames = decode(path).frames
        if rotate:
            frames = np.rot90(frames, -1, (1, 2))
        with av.open(str(path)) as container:
            for ours, plain in zip(frames, container.decode(video=0), strict=True):
                planes = [
                    np.frombuffer(plane, np.uint16).reshape(plane.height, -1)[:, : plane.width]
                    for plane in plain.planes
                ]
                assert np.abs(ours - exact(planes, 10, False, "bt601")).max() * 255 < 0.1


def test_a_smaller_size_of_a_deep_film_has_its_colours(tmp_path: Any) -> None:
    path = tmp_path / "deep.mkv"
    planes = write(path, "yuv420p10le", False, "bt709")
    (frame,) = decode(path, resize=Resize(longest_side=48)).frames
    whole = exact(planes, 10, False, "bt709")
    assert frame.shape == (32, 48, 3)
    assert np.abs(frame.mean((0, 1)) - whole.mean((0, 1))).max() < 0.01
