"""Colour and loudness at a seam, against known values and FFmpeg's own loudness meter."""

from __future__ import annotations

import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from grok_imagine.media.frames.scale import BT601, BT709
from grok_imagine.media.join.seam_figures import delta_e, loudness, loudness_step
from grok_imagine.media.join.segments import Packed

RATE = 48_000


def flat(y: int, u: int = 128, v: int = 128, size: tuple[int, int] = (96, 48)) -> Packed:
    width, height = size
    picture = np.full((height * 3 // 2, width), y, np.uint8)
    picture[height:].reshape(2, -1)[:] = [[u], [v]]
    return picture


def tone(level: float, seconds: float = 1.0, hertz: float = 997) -> np.ndarray:
    along = np.arange(round(seconds * RATE)) / RATE
    return np.stack([level * np.sin(2 * np.pi * hertz * along)] * 2).astype(np.float32)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (flat(16), flat(235), 100.0),  # from black to white
        (flat(126), flat(126), 0.0),
        (flat(126), flat(127), 0.45),
        (flat(126, 128, 128), flat(126, 128, 138), 9.5),
    ],
)
def test_delta_e(one: Packed, other: Packed, expected: float) -> None:
    assert delta_e(one, other, BT709) == pytest.approx(expected, rel=0.05, abs=0.01)
    assert delta_e(one, other, BT601) == pytest.approx(delta_e(other, one, BT601))


def test_details_do_not_count_but_light_does() -> None:
    checks = flat(126)
    checks[:48:2, ::2] += 4
    checks[1:48:2, ::2] -= 4
    assert delta_e(flat(126), checks, BT709) < 0.1
    rim = flat(126)
    rim[:48, :24] -= 20
    assert delta_e(flat(126), rim, BT709) > 1
    assert delta_e(flat(126, size=(8, 6)), flat(140, size=(8, 6)), BT709) > 1, "smaller than a cell"


def test_loudness_is_that_of_the_standard() -> None:
    """A stereo sine of 997 Hz at -20 dBFS has -20 LUFS. Source: EBU Tech 3341, part 2."""
    assert loudness(tone(0.1), RATE) == pytest.approx(-20.0, abs=0.1)
    assert loudness(np.zeros((2, RATE), np.float32), RATE) is None
    assert loudness(np.zeros((2, 0), np.float32), RATE) is None


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="there is no ffmpeg program")
@pytest.mark.parametrize("hertz", [60, 440, 4000, 12_000])
def test_loudness_agrees_with_ffmpegs_meter(hertz: int, tmp_path: Path) -> None:
    sound = tone(0.2, 3.0, hertz)
    (tmp_path / "tone.raw").write_bytes(sound.T.tobytes())
    command = ["ffmpeg", "-f", "f32le", "-ar", str(RATE), "-ac", "2", "-i", str(tmp_path / "tone.raw")]
    said = subprocess.run([*command, "-af", "ebur128", "-f", "null", "-"], capture_output=True, text=True, timeout=60)
    meter = float(re.findall(r"I:\s+(-[0-9.]+) LUFS", said.stderr)[-1])
    assert loudness(sound, RATE) == pytest.approx(meter, abs=0.2)


def test_a_step_in_a_film(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    with av.open(str(film), "w") as container:
        video: Any = container.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 96, 48, "yuv420p"
        audio: Any = container.add_stream("aac", rate=RATE)
        audio.layout, audio.bit_rate = "stereo", 192_000
        for _ in range(48):
            container.mux(video.encode(av.VideoFrame.from_ndarray(flat(126), format="yuv420p")))
        container.mux(video.encode())
        samples = np.concatenate([tone(0.1), tone(0.2)], axis=1)
        for at in range(0, samples.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[:, at : at + 1024]), "fltp", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
            container.mux(audio.encode(frame))
        container.mux(audio.encode())
    assert loudness_step(film, Fraction(1)) == pytest.approx(6.0, abs=0.3)
    assert loudness_step(film, Fraction(1, 2)) == pytest.approx(0.0, abs=0.2)
