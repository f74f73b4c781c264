"""Unusual videos, split, joined and continued: times, audio, pixel aspect, colors and metadata are kept."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from grok_imagine.errors import EncodeError
from grok_imagine.media.frames.decode import decode
from grok_imagine.media.frames.index import index_of_file
from grok_imagine.media.frames.selection import FrameSelection
from grok_imagine.media.join.join import Part, join
from grok_imagine.media.mux import chunks
from grok_imagine.media.mux.chunks import chunk, join_chunks, read_tags, write_chunk

from .generate import CLICK_AFTER, Video, click_in, has_flash, number_in, write

STEPS = tuple(number / 24 + number // 10 * 0.2 for number in range(48))
PHONE: dict[str, Any] = {"times": STEPS, "base": Fraction(1, 90000), "encoder": {"bf": "0"}, "sound": "aac"}


def split_and_join(source: Path, folder: Path, factor: int = 1) -> Path:
    total = len(index_of_file(source).times)
    pieces, tags = list[Path](), read_tags(source)
    for index in range(chunk(0, total, 20, 1).count):
        part = chunk(index, total, 20, 1)
        clip = decode(source, window=part.window)
        made = np.repeat(clip.frames, factor, axis=0)
        pieces.append(folder / f"{index}.mp4")
        write_chunk(pieces[-1], made[part.count_repeats(len(made)) :], clip.rate * factor, 12, tags)
    join_chunks(pieces, source, folder / "joined.mp4")
    return folder / "joined.mp4"


def apart(path: Path) -> float:
    """Seconds from the flash to the click, by the times in the file."""
    clip = decode(path)
    times = index_of_file(path).times
    flash = next(float(at) for at, frame in zip(times, clip.frames, strict=True) if has_flash(frame))
    assert clip.audio is not None
    click = click_in(clip.audio.samples[0], clip.audio.rate)
    assert click is not None
    return click - flash - CLICK_AFTER


@pytest.mark.parametrize("factor", [1, 2])
def test_a_variable_rate_keeps_its_times(tmp_path: Path, factor: int) -> None:
    joined = split_and_join(write(Video(**PHONE), tmp_path), tmp_path, factor)
    assert [number_in(frame) for frame in decode(joined).frames] == [n for n in range(48) for _ in range(factor)]
    times = index_of_file(joined).times
    assert np.abs(times[::factor] - STEPS).max() < 0.001
    assert abs(apart(joined)) <= 0.002


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(30000, 1001)])
def test_an_even_rate_stays_exact(tmp_path: Path, rate: Fraction) -> None:
    joined = split_and_join(write(Video(rate=rate, sound="aac"), tmp_path), tmp_path)
    clip = decode(joined)
    assert (clip.rate, clip.duration) == (rate, 48 / rate)
    assert abs(apart(joined)) <= 0.002


@pytest.mark.parametrize("sound", ["adpcm_ms", "pcm_u8", "pcm_s16le", "libmp3lame"])
def test_sound_that_an_mp4_cannot_hold_is_encoded(tmp_path: Path, sound: str) -> None:
    source = write(Video("video.avi", codec="mpeg4", sound=sound), tmp_path)
    joined = split_and_join(source, tmp_path)
    before, after = (decode(path).audio for path in (source, joined))
    assert before is not None
    assert after is not None
    clicks = [click_in(audio.samples[0], audio.rate) for audio in (before, after)]
    assert clicks[0] == pytest.approx(clicks[1], abs=0.002)


def test_late_sound_and_a_hole_stay(tmp_path: Path) -> None:
    for name, what in {"late.mkv": {"sound_starts": 0.5}, "hole.mkv": {"gap": (0.2, 1.2)}}.items():
        (tmp_path / name[:4]).mkdir()
        for sound in ("aac", "pcm_s16le"):
            joined = split_and_join(write(Video(name, sound=sound, **what), tmp_path), tmp_path / name[:4])
            assert abs(apart(joined)) <= 0.002, (name, sound)


def test_a_muxer_that_fails_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise chunks.Uncopyable("Invalid argument")

    monkeypatch.setattr(chunks, "write", fail)
    with pytest.raises(EncodeError, match="cannot be written as an MP4: Invalid argument"):
        split_and_join(write(Video(sound="aac"), tmp_path), tmp_path)


@pytest.fixture
def titled(tmp_path: Path) -> Path:
    """Wide pixels, colours of BT.470BG (5), a title and a key of one's own."""
    plain, path = write(Video("plain.mp4", aspect=Fraction(4, 3), matrix=5), tmp_path), tmp_path / "titled.mp4"
    with av.open(str(plain)) as source, av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0], opaque=True)
        target.metadata.update({"title": "A title", "grok_imagine": '{"prompt": "x"}'})
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return path


@pytest.mark.parametrize("way", ["chunks", "join"])
def test_pixel_shape_colours_and_metadata_stay(titled: Path, tmp_path: Path, way: str) -> None:
    target = tmp_path / "joined.mp4"
    if way == "chunks":
        split_and_join(titled, tmp_path)
    else:
        join([Part(titled), Part(titled)], target)
    with av.open(str(target)) as film:
        stream: Any = film.streams.video[0]
        assert stream.sample_aspect_ratio == Fraction(4, 3)
        assert (int(stream.codec_context.color_primaries), int(stream.codec_context.color_trc)) == (5, 5)
        assert film.metadata["title"] == "A title"
        assert film.metadata["grok_imagine"] == '{"prompt": "x"}'


@pytest.mark.parametrize("extension", ["mkv", "avi"])
def test_pixel_shape_of_other_containers_stays(tmp_path: Path, extension: str) -> None:
    source = write(Video(f"video.{extension}", codec="mpeg4", aspect=Fraction(16, 11)), tmp_path)
    assert read_tags(source).aspect == Fraction(16, 11)


def test_a_continued_video_of_a_variable_rate_keeps_its_sound(tmp_path: Path) -> None:
    first, second = write(Video("first.mp4", **PHONE), tmp_path), write(Video("second.mp4", sound="aac"), tmp_path)
    told = join([Part(first), Part(second, 1)], tmp_path / "joined.mp4")
    assert told.shape.rate == 24
    clip = decode(tmp_path / "joined.mp4", window=FrameSelection(duration_seconds=2.6))
    assert clip.audio is not None
    flash = next(number for number, frame in enumerate(clip.frames) if has_flash(frame)) / 24
    click = click_in(clip.audio.samples[0], clip.audio.rate)
    assert click is not None
    assert abs(click - flash - CLICK_AFTER) <= 0.5 / 24, "to the film's frame"
