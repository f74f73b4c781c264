"""Joining clips: every frame in place, no visible or audible seam, and a valid file."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from grok_imagine.errors import DecodeError
from grok_imagine.media.frames.decode import decode
from grok_imagine.media.join.join import Joined, Part, join
from grok_imagine.media.join.segments import count_frames, last_frame
from grok_imagine.media.stop import DecodeStopped

RATE, SIZE, SOUND = 24, (160, 96), 48_000


def scene(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A disc that travels over a gradient: where it is tells the frame's number."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    picture = np.stack([60 + x * 120 // size[0], 60 + y * 120 // size[1], np.full_like(x, 110)], axis=-1)
    picture[(x - place(index, size[0])) ** 2 + (y - size[1] // 2) ** 2 < (size[1] // 8) ** 2] = (220, 210, 60)
    return picture.astype(np.uint8)


def place(index: int, width: int = SIZE[0]) -> int:
    return width // 8 + index * width // SIZE[0]


def seen_at(frame: np.ndarray) -> float:
    """Where the disc is: the middle of what is much redder than blue."""
    yellow = (frame[..., 0] - frame[..., 2]) > 0.35
    return float(np.nonzero(yellow)[1].mean())


Clip = Callable[..., Path]


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """``clip(first, last, change=…)``: frames first … last - 1 of one long scene, with its tone."""

    def make(
        first: int,
        last: int,
        *,
        change: Callable[[np.ndarray], np.ndarray] | None = None,
        size: tuple[int, int] = SIZE,
        rate: int = RATE,
        sound: bool = True,
        tone: float = 440.0,
        level: float = 0.4,
    ) -> Path:
        path = tmp_path / f"{first}-{last}-{rate}-{size[0]}-{tone}-{level}-{sound}-{change is None}.mp4"
        with av.open(str(path), "w") as film:
            video: Any = film.add_stream("libx264", rate=rate)
            video.width, video.height, video.pix_fmt, video.options = *size, "yuv420p", {"crf": "12"}
            audio: Any = film.add_stream("aac", rate=SOUND, layout="stereo") if sound else None
            for index in range((last - first) * rate // RATE):
                pixels = scene(first + index * RATE // rate, size)
                pixels = change(pixels.astype(np.float64)).clip(0, 255).astype(np.uint8) if change else pixels
                film.mux(video.encode(av.VideoFrame.from_ndarray(pixels)))
            film.mux(video.encode())
            if sound:
                t = np.arange(first * SOUND // RATE, last * SOUND // RATE) / SOUND
                wave = np.tile(level * np.sin(2 * np.pi * tone * t), (2, 1)).astype(np.float32)
                for at in range(0, wave.shape[1], 1024):
                    piece = av.AudioFrame.from_ndarray(
                        np.ascontiguousarray(wave[:, at : at + 1024]), format="fltp", layout="stereo"
                    )
                    piece.sample_rate, piece.pts, piece.time_base = SOUND, at, Fraction(1, SOUND)
                    film.mux(audio.encode(piece))
                film.mux(audio.encode())
        return path

    return make


def joined(tmp_path: Path, *parts: Part) -> tuple[Joined, Any]:
    target = tmp_path / "film.mp4"
    told = join(parts, target)
    return told, decode(target)


def test_the_repeated_frame_goes_and_every_other_one_is_where_it_belongs(clip: Clip, tmp_path: Path) -> None:
    told, film = joined(tmp_path, Part(clip(0, 24)), Part(clip(23, 48), 1), Part(clip(47, 72), 1))
    assert told.frames == film.frame_count == 72
    assert [seam.frame for seam in told.seams] == [24, 48]
    assert film.rate == RATE
    assert film.duration == 3
    travelled = [seen_at(frame) for frame in film.frames]
    assert np.abs(np.array(travelled) - [place(index) for index in range(72)]).max() < 0.6


def test_sound_is_as_long_as_the_picture_and_has_no_click(clip: Clip, tmp_path: Path) -> None:
    # The tone of the later part has another phase and pitch: cut hard, that is a click.
    told, film = joined(tmp_path, Part(clip(0, 24)), Part(clip(23, 48, tone=617.0), 1))
    assert film.audio.samples.shape[2] == 2 * SOUND
    samples = film.audio.samples[0, 0, :-2048]  # where a tone is cut off, AAC itself clicks
    assert told.seams[0].fade_seconds == pytest.approx(1 / RATE, abs=1e-3)
    steepest = 0.4 * 2 * np.pi * 617 / SOUND
    assert np.abs(np.diff(samples)).max() < 1.4 * steepest
    loudness = np.sqrt(np.convolve(samples**2, np.ones(480) / 480, "valid"))[960:-960]
    assert loudness.min() > 0.5 * 0.4 / np.sqrt(2)


def test_a_repeated_tail_is_left_out_and_fades_long(clip: Clip, tmp_path: Path) -> None:
    told, film = joined(tmp_path, Part(clip(0, 48)), Part(clip(24, 72), 24))
    assert film.frame_count == 72
    assert told.seams[0].fade_seconds == pytest.approx(0.25)
    t = np.arange(3 * SOUND) / SOUND
    assert np.abs(film.audio.samples[0, 0] - 0.4 * np.sin(2 * np.pi * 440 * t))[2000:-2000].max() < 0.05


def test_drifted_colors_are_corrected(clip: Clip, tmp_path: Path) -> None:
    def drift(pixels: np.ndarray) -> np.ndarray:
        return (pixels - 128) * 0.9 + 128 + np.array([9.0, 0.0, -7.0])

    told, film = joined(tmp_path, Part(clip(0, 24)), Part(clip(23, 48, change=drift), 1))
    (seam,) = told.seams
    assert seam.match.is_needed
    wanted = decode(clip(23, 48)).frames
    for index in (24, 36, 47):
        off = film.frames[index].mean((0, 1)) - wanted[index - 23].mean((0, 1))
        assert np.abs(off).max() < 1.5 / 255
    step = np.abs(film.frames[24].mean((0, 1)) - film.frames[23].mean((0, 1))).max()
    assert step < 1.0 / 255


def test_equal_colors_and_other_scenes_are_not_changed(clip: Clip, tmp_path: Path) -> None:
    told, _ = joined(tmp_path, Part(clip(0, 24)), Part(clip(23, 48), 1))
    assert not told.seams[0].match.is_needed
    negative = clip(23, 48, change=lambda pixels: 255 - pixels)
    told, film = joined(tmp_path, Part(clip(0, 24)), Part(negative, 1))
    assert not told.seams[0].match.is_needed
    assert np.abs(film.frames[30].mean((0, 1)) - decode(negative).frames[7].mean((0, 1))).max() < 1 / 255


def test_a_quieter_clip_starts_as_loud_as_the_one_before(clip: Clip, tmp_path: Path) -> None:
    told, film = joined(tmp_path, Part(clip(0, 48)), Part(clip(47, 144, level=0.2), 1))
    (seam,) = told.seams
    assert seam.delta_e is not None
    assert seam.delta_e < 0.5
    assert seam.loudness_step == pytest.approx(0, abs=0.3)
    level = np.abs(film.audio.samples[0, 0])
    assert level[2 * SOUND : 2 * SOUND + SOUND // 3].max() == pytest.approx(0.4, abs=0.02)
    assert level[5 * SOUND :].max() == pytest.approx(0.2, abs=0.02), "and has its own loudness again"


def test_a_cut_is_not_corrected(clip: Clip, tmp_path: Path) -> None:
    darker = clip(24, 72, level=0.2, change=lambda pixels: pixels * 0.9)
    told, film = joined(tmp_path, Part(clip(0, 24)), Part(darker, is_cut=True))
    (seam,) = told.seams
    assert (seam.match.is_needed, seam.delta_e, seam.loudness_step) == (False, None, None)
    assert np.abs(film.frames[30].mean((0, 1)) - decode(darker).frames[6].mean((0, 1))).max() < 1 / 255
    assert np.abs(film.audio.samples[0, 0, int(1.2 * SOUND) :]).max() == pytest.approx(0.2, abs=0.02)


def test_clips_of_another_size_rate_or_without_audio_are_joined(clip: Clip, tmp_path: Path) -> None:
    wide, slow = clip(23, 48, size=(320, 192)), clip(47, 71, rate=12, sound=False)
    told, film = joined(tmp_path, Part(clip(0, 24)), Part(wide, 1), Part(slow, 1))
    assert film.size == SIZE
    assert told.frames == film.frame_count == 71
    assert abs(seen_at(film.frames[40]) - place(40)) < 1
    assert abs(seen_at(film.frames[60]) - place(60)) < 1.6
    assert np.abs(film.audio.samples[0, :, -SOUND // 2 :]).max() < 0.01, "a part without sound is silent"


def test_another_ratio_is_cut_and_not_squeezed(clip: Clip, tmp_path: Path) -> None:
    square = clip(23, 48, size=(96, 96))
    _, film = joined(tmp_path, Part(clip(0, 24)), Part(square, 1))
    assert film.size == SIZE
    disc = (film.frames[30][..., 0] - film.frames[30][..., 2]) > 0.35
    rows, columns = np.nonzero(disc)
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 2, "a disc stays round"


def test_the_last_frame_is_the_last_one(clip: Clip) -> None:
    path = clip(0, 30)
    assert count_frames(path) == 30
    assert np.abs(last_frame(path) - decode(path).frames[-1]).max() == 0


def test_the_same_parts_give_the_same_bytes(clip: Clip, tmp_path: Path) -> None:
    parts = [Part(clip(0, 24)), Part(clip(23, 48), 1)]
    for name in ("one.mp4", "two.mp4"):
        join(parts, tmp_path / name)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_what_cannot_be_joined_is_named(clip: Clip, tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match="has no frame after its first 24"):
        join([Part(clip(0, 24)), Part(clip(23, 47), 24)], tmp_path / "film.mp4")
    with pytest.raises(DecodeError, match=r"gone\.mp4"):
        join([Part(tmp_path / "gone.mp4")], tmp_path / "film.mp4")
    with pytest.raises(DecodeStopped):
        join([Part(clip(0, 24))], tmp_path / "film.mp4", should_stop=lambda: True)
