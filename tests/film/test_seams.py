"""Ten seams of a film on the sandbox, measured in the finished file: no step in colour or loudness."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from grok_imagine.film.run import run_film
from grok_imagine.jobs import Session
from grok_imagine.media.frames.decode import decode
from grok_imagine.models import VideoRequest

from .conftest import film

SEAMS = 10
MOST_DELTA_E, MOST_LU = 2.0, 1.0


def lab(picture: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of the mean colour of each 24 x 24 block of an sRGB picture, ``[H, W, 3]`` in 0..1."""
    height, width = picture.shape[0] // 24, picture.shape[1] // 24
    blocks = picture[: height * 24, : width * 24].reshape(height, 24, width, 24, 3).mean((1, 3))
    linear = np.where(blocks <= 0.04045, blocks / 12.92, ((blocks + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.moveaxis(np.cbrt(linear @ to_xyz.T / to_xyz.sum(1)), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


@pytest.mark.slow
async def test_ten_seams_of_the_sandbox(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROK_IMAGINE_SANDBOX_DRAFT", raising=False)  # the sandbox starts with the first clip
    text = "\n".join(["a paper boat", *(f"[continue] segment {number}" for number in range(1, SEAMS + 1))])
    spec = film(text, "sandbox-xai", base=VideoRequest(duration_seconds=2, resolution="480p"))
    made = await run_film(session, spec)
    assert made.joined is not None
    seams = made.joined.seams
    assert [seam.frame for seam in seams] == [48 + 47 * number for number in range(SEAMS)]
    pictures = decode(made.file).frames
    for seam in seams:
        before, after = lab(pictures[seam.frame - 1]), lab(pictures[seam.frame])
        seen = float(np.sqrt(((after - before) ** 2).sum(-1)).mean())
        assert seen <= MOST_DELTA_E, (seam.frame, seen)
        assert seam.delta_e is not None
        assert seam.delta_e <= MOST_DELTA_E
        assert seam.loudness_step is not None
        assert abs(seam.loudness_step) <= MOST_LU, (seam.frame / Fraction(24), seam.loudness_step)
