"""A contact sheet with time stamps, and frames as numbered PNG files."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ...errors import EncodeError
from ..clip import Clip
from .pixels import to_picture

MARGIN = 8
LABEL_HEIGHT = 22
FONT_SIZE = 14
NARROWEST_CELL = 32
GROUND, INK = (24, 24, 27), (212, 212, 216)

# zlib's level 1 is several times faster than its default; the files are about a tenth larger.
COMPRESS_LEVEL = 1


def contact_sheet(
    clip_or_frames: Clip | NDArray[Any], columns: int = 4, count: int = 12, width: int = 1280
) -> Image.Image:
    """At most ``count`` frames, evenly spaced from the first to the last, on one RGB image ``width`` pixels wide.

    Frames of a clip are labeled with their times, those of an array ``[N, H, W, C]`` with their numbers. Raises
    EncodeError if there are no frames, or too many columns for the width.
    """
    frames, rate = _frames(clip_or_frames)
    chosen = sorted({round(index) for index in np.linspace(0, len(frames) - 1, max(1, min(count, len(frames))))})
    columns = max(1, min(columns, len(chosen)))
    cell_width = (width - MARGIN) // columns - MARGIN
    if cell_width < NARROWEST_CELL:
        raise EncodeError(f"{columns} columns do not fit into {width} pixels. Use fewer columns or a wider sheet.")
    cell_height = max(1, round(cell_width * frames.shape[1] / frames.shape[2]))
    rows = -(-len(chosen) // columns)
    step_x, step_y = cell_width + MARGIN, cell_height + LABEL_HEIGHT + MARGIN
    sheet = Image.new("RGB", (width, MARGIN + rows * step_y), GROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(FONT_SIZE)
    for cell, index in enumerate(chosen):
        x, y = MARGIN + cell % columns * step_x, MARGIN + cell // columns * step_y
        picture = to_picture(frames[index]).convert("RGB")
        sheet.paste(picture.resize((cell_width, cell_height), Image.Resampling.LANCZOS), (x, y))
        label = f"#{index}" if rate is None else time_stamp(index / rate)
        draw.text((x + cell_width // 2, y + cell_height + LABEL_HEIGHT // 2), label, INK, font, anchor="mm")
    return sheet


def save_frames(
    clip: Clip | NDArray[Any], folder: str | os.PathLike[str], pattern: str = "frame_{:05d}.png"
) -> list[Path]:
    """Write each frame as a PNG into ``folder``, which is created if missing, and return the paths in order.

    ``pattern`` is formatted with the frame's number, counted from 0. Replaces files of the same name. Raises
    EncodeError if two frames would get the same name, or a file cannot be written.
    """
    frames, _ = _frames(clip)
    target = Path(folder)
    try:
        names = [pattern.format(index) for index in range(len(frames))]
    except (LookupError, ValueError) as error:
        raise EncodeError(f"The pattern {pattern!r} cannot be filled with a number. Use frame_{{:05d}}.png.") from error
    if len(set(names)) < len(names) or any(Path(name).name != name for name in names):
        raise EncodeError(f"The pattern {pattern!r} must give each frame its own name. Use frame_{{:05d}}.png.")
    paths = [target / name for name in names]
    try:
        target.mkdir(parents=True, exist_ok=True)
        # Pillow releases the GIL while it compresses, so threads are enough.
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            list(pool.map(_write, frames, paths))
    except OSError as error:
        raise EncodeError(f"The frames cannot be written to {target.name}: {error.strerror or error}.") from error
    return paths


def time_stamp(seconds: Fraction) -> str:
    """Minutes, seconds and hundredths: ``0:02.50``."""
    hundredths = round(seconds * 100)
    return f"{hundredths // 6000}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


def _frames(source: Clip | NDArray[Any]) -> tuple[NDArray[Any], Fraction | None]:
    frames, rate = (source.frames, source.rate) if isinstance(source, Clip) else (source, None)
    if frames.ndim != 4 or len(frames) == 0:
        raise EncodeError(f"Frames must have the shape [number, height, width, channels], not {list(frames.shape)}.")
    return frames, rate


def _write(frame: NDArray[Any], path: Path) -> None:
    to_picture(frame).save(path, format="PNG", compress_level=COMPRESS_LEVEL)
