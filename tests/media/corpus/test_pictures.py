"""Images with more than 8 bits: scaled if the range is clear, else refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from grok_imagine.errors import EncodeError
from grok_imagine.media.images.encode import read_image

RAMP = np.linspace(0, 1, 16)[np.newaxis].repeat(8, 0)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (RAMP.astype(np.float32), "fractions.tif"),
        (np.rint(RAMP * 255).astype(np.float32), "floats of 8 bits.tif"),
        (np.rint(RAMP * 65535).astype(np.float32), "floats of 16 bits.tif"),
        (np.rint(RAMP * 255).astype(np.int32), "32 bits that hold 8.tif"),
        (np.rint(RAMP * 65535).astype(np.int32), "32 bits that hold 16.tif"),
        (np.rint(RAMP * (2**31 - 1)).clip(0, 2**31 - 1).astype(np.int32), "32 bits.tif"),
        (np.rint(RAMP * 65535).astype(np.uint16), "16 bits.tif"),
        (np.rint(RAMP * 65535).astype(np.uint16), "16 bits.png"),
        ((RAMP * 1.5 - 0.5).astype(np.float32).clip(-0.5, 1), "below 0.tif"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_more_bits_are_scaled(tmp_path: Path, values: np.ndarray, name: str) -> None:
    Image.fromarray(values).save(tmp_path / name)
    made: Any = np.asarray(Image.open(io.BytesIO(read_image(tmp_path / name).data)))
    expected = RAMP if "below" not in name else (RAMP * 1.5 - 0.5).clip(0, 1)
    assert np.abs(made[..., 0] - expected * 255).max() <= 0.51


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((RAMP * 3).astype(np.float32), "0 to 3, have no clear range"),
        ((RAMP * 1000 - 500).astype(np.int32), "-500 to 500, have no clear range"),
        (np.rint(RAMP * 2**32).astype(np.float32), "have no clear range"),
    ],
)
def test_what_has_no_clear_range_is_refused(tmp_path: Path, values: np.ndarray, said: str) -> None:
    Image.fromarray(values).save(tmp_path / "picture.tif")
    with pytest.raises(EncodeError, match=rf"picture\.tif cannot be used: .*{said}.*Save it with 8 or 16 bits"):
        read_image(tmp_path / "picture.tif")
