"""Properties of video files, and clear errors for files that are not videos."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from grok_imagine.errors import DecodeError
from grok_imagine.media.frames.decode import decode
from grok_imagine.media.probe import probe


def test_all_numbers(film):
    path = film(sound=1.25)
    info = probe(path)
    assert (info.width, info.height, info.rotation) == (64, 48, 0)
    assert (info.rate, info.frame_count, info.frame_count_is_exact) == (Fraction(24), 30, True)
    assert info.duration == Fraction(30, 24)
    assert (info.codec, info.pixel_format) == ("h264", "yuv420p")
    assert (info.has_audio, info.audio_rate, info.audio_channels) == (True, 44100, 2)
    assert info.file_bytes == path.stat().st_size
    assert decode(path).frames.shape == (info.frame_count, info.height, info.width, 3)


def test_without_sound(film):
    info = probe(film())
    assert (info.has_audio, info.audio_rate, info.audio_channels) == (False, 0, 0)


def test_a_count_that_is_not_in_the_header_is_an_estimate(film):
    info = probe(film("film.mkv"))
    assert not info.frame_count_is_exact
    assert info.frame_count == pytest.approx(30, abs=1)


@pytest.mark.skipif(not hasattr(av.VideoStream, "set_display_rotation"), reason="this PyAV cannot write a rotation")
@pytest.mark.parametrize(("counterclockwise", "clockwise"), [(0, 0), (90, 270), (180, 180), (270, 90)])
def test_rotation(film, counterclockwise, clockwise):
    info = probe(film(rotate=counterclockwise, frames=3))
    assert info.rotation == clockwise
    assert (info.width, info.height) == ((48, 64) if clockwise in (90, 270) else (64, 48))


def no_videos(folder: Path) -> dict[str, bytes]:
    picture = folder / "picture"
    Image.new("RGB", (16, 16)).save(picture, format="PNG")
    return {
        "empty": b"",
        "random": os.urandom(50_000),
        "text": b"Hello, this is no video.\n" * 100,
        "picture": picture.read_bytes(),
        "playlist": b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:2,\nother.mp4\n#EXT-X-ENDLIST\n",
        "concatenation": b"ffconcat version 1.0\nfile 'film.mp4'\n",
    }


@pytest.mark.parametrize("read", [probe, decode])
@pytest.mark.parametrize("suffix", [".mp4", ".txt", ".m3u8"])
@pytest.mark.parametrize("kind", ["empty", "random", "text", "picture", "playlist", "concatenation"])
def test_no_video(film, tmp_path, read, kind, suffix):
    film()
    path = tmp_path / f"impostor{suffix}"
    path.write_bytes(no_videos(tmp_path)[kind])
    with pytest.raises(DecodeError, match="is empty" if kind == "empty" else "cannot be read as a video"):
        read(path)


@pytest.mark.parametrize("read", [probe, decode])
def test_missing_file_and_folder(tmp_path, read):
    for path in (tmp_path / "nothing.mp4", tmp_path, "http://127.0.0.1:9/film.mp4"):
        with pytest.raises(DecodeError, match="File not found"):
            read(path)


@pytest.mark.parametrize("read", [probe, decode])
def test_a_title_that_is_no_utf8(film, read):
    path = film()
    path.write_bytes(path.read_bytes().replace(b"VideoHandler", b"Vid\xe9oHandler"))
    read(path)


@pytest.mark.parametrize("read", [probe, decode])
def test_sound_only(film, read):
    with pytest.raises(DecodeError, match="sound, but no video"):
        read(film("film.m4a", picture=False, sound=0.5))


def test_a_header_cut_off_is_an_error(film):
    path = film()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DecodeError, match="damaged, incomplete"):
        probe(path)


def test_the_package_loads_nothing():
    code = "import sys, grok_imagine.media; print({'av', 'numpy', 'PIL'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
