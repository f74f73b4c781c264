"""Contact sheets, and frames as files."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from grok_imagine.errors import EncodeError
from grok_imagine.media.clip import Clip
from grok_imagine.media.images.contact_sheet import contact_sheet, save_frames, time_stamp


def clip(frames=30, height=36, width=64):
    steps = np.linspace(0, 1, frames, dtype=np.float32)
    return Clip(np.broadcast_to(steps[:, None, None, None], (frames, height, width, 3)), Fraction(24))


@pytest.mark.parametrize(
    ("frames", "columns", "count", "rows"), [(30, 4, 12, 3), (30, 5, 12, 3), (2, 4, 12, 1), (1, 1, 1, 1)]
)
def test_layout(frames, columns, count, rows):
    sheet = contact_sheet(clip(frames), columns, count, 800)
    cell = (800 - 8) // min(columns, frames) - 8
    assert sheet.mode == "RGB"
    assert sheet.size == (800, 8 + rows * (round(cell * 36 / 64) + 22 + 8))


def test_from_the_first_to_the_last_frame():
    sheet = np.asarray(contact_sheet(clip(), 4, 4, 400))
    cell = (400 - 8) // 4 - 8
    shown = [int(sheet[20, 8 + n * (cell + 8) + cell // 2, 0]) for n in range(4)]
    assert (shown[0], shown[-1]) == (0, 255)
    assert shown == sorted(shown)


def test_labels_are_drawn_and_differ_with_the_rate():
    times, numbers = np.asarray(contact_sheet(clip())), np.asarray(contact_sheet(clip().frames))
    assert times.shape == numbers.shape
    assert (times != numbers).any()


def test_time_stamp():
    assert [time_stamp(Fraction(n, 100)) for n in (0, 250, 5999, 6000, 361_234)] == [
        "0:00.00",
        "0:02.50",
        "0:59.99",
        "1:00.00",
        "60:12.34",
    ]


@pytest.mark.parametrize("shape", [(0, 4, 4, 3), (4, 4, 3)])
def test_no_frames(shape, tmp_path):
    for use in (contact_sheet, lambda frames: save_frames(frames, tmp_path)):
        with pytest.raises(EncodeError, match="shape"):
            use(np.zeros(shape))


def test_too_many_columns():
    with pytest.raises(EncodeError, match="columns"):
        contact_sheet(clip(100), 100, 100, 640)


def test_save_frames(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (20, 9, 7, 3), np.uint8)
    saved = Clip(frames / np.float32(255), Fraction(24))
    paths = save_frames(saved, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == [f"frame_{index:05d}.png" for index in range(20)]
    for path, frame in zip(paths, frames, strict=True):
        with Image.open(path) as picture:
            np.testing.assert_array_equal(np.asarray(picture), frame)


@pytest.mark.parametrize("pattern", ["frame.png", "{}/{}.png", "../{}.png", "{name}.png", "{:q}.png"])
def test_a_pattern_of_no_use(tmp_path, pattern):
    with pytest.raises(EncodeError, match="pattern"):
        save_frames(clip(3), tmp_path, pattern)


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(EncodeError, match="cannot be written"):
        save_frames(clip(3), tmp_path / "taken")
