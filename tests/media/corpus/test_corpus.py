"""Videos as phones, browsers, cameras and other tools write them: every frame, in order, at its time, with its sound.

The expected values are arithmetic. Where FFmpeg's program is installed, it reads the same files and must agree.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from av.error import FFmpegError
from PIL import Image

from grok_imagine.errors import DecodeError, EncodeError
from grok_imagine.media.clip import Clip
from grok_imagine.media.frames.decode import decode
from grok_imagine.media.frames.selection import FrameSelection
from grok_imagine.media.mux import mp4_writer, source_video
from grok_imagine.media.mux.source_video import prepare_video

from .generate import CLICK_AFTER, PATCH, Video, click_in, has_flash, number_in, patch_in, write
from .rows import ROWS, Row

MOST_APART = 0.002
"""In seconds, between click and flash."""
STEP = 3
"""Of 255: what a lossy encoder changes in a plain patch."""


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {}


def rows(take: int | None = None, *, of: Callable[[Row], object] = lambda row: row) -> pytest.MarkDecorator:
    """Every row, and in the quick tests every fourth one alone where ``take`` is the first of them."""
    chosen = [row for row in ROWS if of(row)]
    marks = [() if take is None or number % 4 == take else (pytest.mark.slow,) for number in range(len(chosen))]
    params = [pytest.param(row, id=row.name, marks=mark) for row, mark in zip(chosen, marks, strict=True)]
    return pytest.mark.parametrize("row", params, indirect=True)


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Row:
    row: Row = request.param
    if row.command and not shutil.which("ffmpeg"):
        pytest.skip("made by FFmpeg's program")
    return row


@pytest.fixture
def path(row: Row, files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    if row.name not in files:
        folder = tmp_path_factory.mktemp("corpus")
        made = write(row.video, folder)
        if row.command:
            target = folder / row.command[-1]
            command = ["ffmpeg", "-v", "error", "-i", str(made), *row.command[:-1], str(target)]
            subprocess.run(command, check=True, capture_output=True)
            made = target
        files[row.name] = made
    return files[row.name]


def numbers(clip: Clip) -> list[int]:
    return [number_in(frame) for frame in clip.frames]


def apart(clip: Clip, shown: list[float]) -> float:
    """Seconds from the flash to the click, without CLICK_AFTER; ``shown`` are the times of the clip's frames."""
    assert clip.audio is not None
    flashes = [at for at, frame in zip(shown, clip.frames, strict=True) if has_flash(frame)]
    click = click_in(clip.audio.samples[0], clip.audio.rate)
    assert flashes, "no flash"
    assert click is not None, "no click"
    return click - (flashes[0] - shown[0]) - CLICK_AFTER


@rows()
def test_the_whole(row: Row, path: Path) -> None:
    clip = decode(path)
    assert path.stat().st_size < 500_000
    assert numbers(clip) == list(range(row.frames))
    assert float(clip.rate) == pytest.approx(row.rate, rel=1e-3)
    assert float(clip.duration) == pytest.approx(row.seconds, abs=row.rounding)
    assert clip.size == row.size
    assert clip.missing == 0
    assert np.abs(patch_in(clip.frames[0]) - PATCH).max() <= row.step
    assert (clip.audio is not None) == bool(row.video.sound)
    if clip.audio is not None:
        assert abs(apart(clip, row.shown)) <= MOST_APART


@rows(0)
def test_a_window(row: Row, path: Path) -> None:
    first = row.video.flash - 3
    clip = decode(path, window=FrameSelection(skip_first_frames=first, frame_load_cap=6))
    assert numbers(clip) == list(range(first, first + 6))
    assert clip.missing == 0
    if row.video.sound:
        assert abs(apart(clip, row.shown[first : first + 6])) <= MOST_APART


@rows(1)
def test_one_frame(row: Row, path: Path) -> None:
    clip = decode(path, window=FrameSelection(skip_first_frames=row.video.flash, which="first"))
    assert numbers(clip) == [row.video.flash]
    if row.video.sound:
        assert abs(apart(clip, [0.0])) <= MOST_APART
    assert numbers(decode(path, window=FrameSelection(which="last"))) == [row.frames - 1]


@rows(2, of=lambda row: not row.video.times)
def test_its_own_rate_forced(row: Row, path: Path) -> None:
    clip = decode(path, window=FrameSelection(force_rate=float(row.video.rate)))
    assert numbers(clip) == list(range(row.frames))
    if row.video.sound:
        assert abs(apart(clip, row.shown)) <= MOST_APART


@rows(3, of=lambda row: row.video.sound)
def test_it_can_be_uploaded(row: Row, path: Path, tmp_path: Path) -> None:
    prepared = tmp_path / "prepared.mp4"
    prepared.write_bytes(prepare_video(path).blob.data)
    clip = decode(prepared)
    assert numbers(clip) == list(range(row.frames))
    assert abs(apart(clip, row.shown)) <= MOST_APART


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_an_avi_with_mp3_can_be_uploaded(tmp_path: Path, codec: str) -> None:
    """FFmpeg writes its first picture late, so click and flash are apart in the file, too."""
    path, prepared = write(Video("video.avi", codec=codec, sound="libmp3lame"), tmp_path), tmp_path / "prepared.mp4"
    prepared.write_bytes(prepare_video(path).blob.data)
    before, after = decode(path), decode(prepared)
    assert numbers(after) == numbers(before) == list(range(48))
    assert before.audio is not None
    assert after.audio is not None
    clicks = [click_in(clip.audio.samples[0], clip.audio.rate) for clip in (before, after)]
    assert clicks[0] == pytest.approx(clicks[1], abs=MOST_APART)


@pytest.mark.parametrize(
    ("extension", "what"),
    [
        ("mp4", {"container": {"movflags": "faststart"}, "encoder": {"g": "6"}}),
        ("mkv", {"sound": "aac"}),
        ("mkv", {}),
        ("webm", {"codec": "libvpx", "sound": "libopus"}),
        ("flv", {"codec": "flv"}),
        ("avi", {"codec": "mpeg4"}),
    ],
    ids=str,
)
def test_a_video_that_is_cut_short_says_what_is_missing(tmp_path: Path, extension: str, what: dict[str, Any]) -> None:
    path = write(Video(f"video.{extension}", **what), tmp_path)
    assert decode(path).missing == 0
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 7 // 10])
    clip = decode(path)
    assert 0 < clip.frame_count < 48
    # Of B-frames, those right before the cut are lost, too.
    assert clip.frame_count + clip.missing == pytest.approx(48, abs=2)


def test_a_webp_is_named(tmp_path: Path) -> None:
    still = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    still.save(tmp_path / "moving.webp", save_all=True, append_images=[Image.fromarray(np.ones((8, 8, 3), np.uint8))])
    with pytest.raises(DecodeError, match=r"moving\.webp is a WebP picture.*convert it to MP4"):
        decode(tmp_path / "moving.webp")


def test_a_muxer_that_fails_is_no_damaged_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(Video("video.avi", codec="mpeg4", sound="pcm_s16le"), tmp_path)

    class BrokenFilm:
        def mux_one(self, packet: object) -> None:
            raise FFmpegError(22, "Invalid argument")

    real = mp4_writer.write
    monkeypatch.setattr(source_video, "write", lambda source, _film, *rest: real(source, BrokenFilm(), *rest))
    with pytest.raises(EncodeError, match=r"video\.avi cannot be written as an MP4: Invalid argument"):
        prepare_video(path)


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="FFmpeg's program is not installed")
@rows(3)
def test_ffmpeg_agrees(row: Row, path: Path) -> None:
    entries = "frame=best_effort_timestamp_time:stream=avg_frame_rate,sample_aspect_ratio"
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", entries, "-of", "json", str(path)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert len(told["frames"]) == row.frames
    # Not every frame of an MPEG program stream has a time.
    times = [float(frame.get("best_effort_timestamp_time", "nan")) for frame in told["frames"]]
    if row.is_timed:
        assert np.abs(np.array(times) - times[0] - row.shown).max() <= row.rounding
    clip = decode(path)
    if row.is_timed:
        assert float(clip.start) == pytest.approx(times[0], abs=row.rounding)
    if row.video.aspect:
        assert Fraction(told["streams"][0]["sample_aspect_ratio"].replace(":", "/")) == row.video.aspect


def test_there_are_enough_rows() -> None:
    assert len(ROWS) >= 60
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert sum(not row.command for row in ROWS) >= 45, "most are there without FFmpeg's program"
