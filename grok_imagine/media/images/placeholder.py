"""A placeholder clip for one that moderation refused, of the requested size and length, and marked as such."""

from __future__ import annotations

import os
import textwrap
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...filelock import partial_file
from ...private_files import private_folder

RATE = Fraction(24)
_SHORT_SIDES = {"480p": 480, "720p": 720, "1080p": 1080}
_DARK, _STRIPE, _INK = (28, 28, 32), (58, 40, 40), (235, 225, 220)


def placeholder(folder: Path, words: str, *, ratio: str | None, resolution: str | None, seconds: int) -> Path:
    """The placeholder's file with the text ``words``, made once per text, size and length. Silent, 24 fps."""
    size = _size(ratio, resolution)
    name = f"placeholder-{zlib.crc32(words.encode()):08x}-{size[0]}x{size[1]}-{seconds}s.mp4"
    target = private_folder(folder) / name
    if not target.is_file():
        with partial_file(target) as part:
            _write_video(part, np.asarray(_picture(words, size)), max(1, seconds) * int(RATE))
    return target


def _size(ratio: str | None, resolution: str | None) -> tuple[int, int]:
    """Width and height, even as H.264 requires; 16:9 if no ratio was requested."""
    short = _SHORT_SIDES.get(resolution or "", 480)
    wide, _, high = (ratio or "16:9").partition(":")
    aspect = Fraction(int(wide), int(high)) if wide.isdigit() and high.isdigit() and int(high) else Fraction(16, 9)
    width, height = (short * aspect, short) if aspect >= 1 else (short, short / aspect)
    return round(width / 2) * 2, round(height / 2) * 2


def _picture(words: str, size: tuple[int, int]) -> Image.Image:
    width, height = size
    image = Image.new("RGB", size, _DARK)
    draw = ImageDraw.Draw(image)
    step = max(24, min(size) // 8)
    for start in range(-height, width, 2 * step):  # diagonal stripes, so that nobody mistakes it for a result
        draw.polygon(
            [(start, height), (start + step, height), (start + step + height, 0), (start + height, 0)], _STRIPE
        )
    points = max(14, min(size) // 18)
    font = ImageFont.load_default(points)
    lines = textwrap.fill(words, max(12, int(width * 0.8 / (points * 0.52))), max_lines=8, placeholder=" …")
    box = draw.multiline_textbbox(
        (width / 2, height / 2), lines, font, anchor="mm", align="center", spacing=points // 3
    )
    margin = points
    draw.rectangle((box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin), _DARK)
    draw.multiline_text((width / 2, height / 2), lines, _INK, font, anchor="mm", align="center", spacing=points // 3)
    return image


def _write_video(path: Path, picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], frames: int) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    container = av.open(str(path), "w", format="mp4", options={"movflags": "faststart"})
    try:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "23", "preset": "veryfast"})
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuv420p"
        still = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        for number in range(frames):
            still.pts = number
            container.mux(stream.encode(still))
        container.mux(stream.encode(None))
    finally:
        container.close()
