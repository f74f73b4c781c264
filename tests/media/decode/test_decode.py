"""Decoding whole videos: every frame, in order, and never a hang."""

from __future__ import annotations

import random
import threading
from fractions import Fraction

import av
import numpy as np
import pytest

from grok_imagine.errors import DecodeError
from grok_imagine.media.frames import convert
from grok_imagine.media.frames import decode as decoding
from grok_imagine.media.frames.decode import decode
from grok_imagine.media.open import open_video
from grok_imagine.media.stop import DecodeStopped

STEP = 1 / 255 + 1e-6


def assert_same(frames, expected):
    assert frames.shape == expected.shape
    assert frames.dtype == np.float32
    assert np.abs(frames - expected / np.float32(255)).max() <= STEP


@pytest.mark.parametrize(
    "what",
    [
        {"sound": 1.0},
        {"size": (1280, 720), "frames": 4},
        {"size": (50, 38)},
        {"size": (51, 37), "pixel_format": "yuv444p"},
        {"pixel_format": "yuv422p"},
        {"pixel_format": "gray"},
        {"name": "film.mkv"},
        {"options": {"movflags": "frag_keyframe+empty_moov"}},
        {"frames": 1},
        {"encoder": {"bf": "0"}},
        {"codec": "libx264rgb", "pixel_format": "rgb24"},
        {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    ],
    ids=str,
)
def test_equals_a_plain_decode(film, plain, what):
    path = film(**what)
    clip = decode(path)
    assert_same(clip.frames, plain(path))
    assert clip.missing == 0
    assert clip.frame_count == what.get("frames", 30)
    assert clip.size == what.get("size", (64, 48))
    # Without an edit list, what B-frames need in advance is seen in the times.
    assert clip.start == (Fraction(2, 24) if "options" in what else 0)
    assert clip.duration == pytest.approx(clip.frame_count / 24, abs=0.01)


@pytest.mark.parametrize(
    ("what", "is_quick"),
    [
        ({}, True),
        ({"sound": 1.0}, True),
        ({"encoder": {"bf": "0"}}, False),
        ({"name": "film.mkv"}, False),
        ({"name": "film.ts"}, False),
        ({"codec": "mjpeg", "pixel_format": "yuvj420p"}, False),
    ],
    ids=str,
)
def test_no_picture_is_decoded_on_opening_where_the_header_tells_all(film, what, is_quick):
    with open_video(film(**what), is_quick=True) as source:
        assert (source.video.codec_context.pix_fmt is None) == is_quick
    with open_video(film(**what)) as source:
        assert source.video.codec_context.pix_fmt is not None


def test_full_range_of_floats_in_one_array(film):
    clip = decode(film())
    assert clip.frames.flags.c_contiguous
    assert 0 <= clip.frames.min() < 0.02
    assert 0.98 < clip.frames.max() <= 1


def test_rate_is_exact(tmp_path):
    path = tmp_path / "ntsc.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30000, 1001))
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(20):
            container.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(stream.encode())
    clip = decode(path)
    assert clip.rate == Fraction(30000, 1001)
    assert clip.duration == 20 / clip.rate


def test_variable_rate_keeps_each_frame_once(film, plain):
    times = [0, 1, 2, 10, 11, 30, 31, 48]
    path = film(frames=len(times), times=times)
    clip = decode(path)
    assert_same(clip.frames, plain(path))
    assert clip.frame_count == len(times)
    assert clip.duration == pytest.approx(49 / 24, abs=0.15)
    assert clip.missing == 0


@pytest.mark.skipif(not hasattr(av.VideoStream, "set_display_rotation"), reason="this PyAV cannot write a rotation")
@pytest.mark.parametrize(("degrees", "turns"), [(0, 0), (90, 1), (180, 2), (270, 3)])
def test_rotation_is_applied(film, plain, degrees, turns):
    path = film(frames=5, rotate=degrees)
    assert_same(decode(path).frames, np.rot90(plain(path), turns, axes=(1, 2)))


@pytest.mark.skipif(not hasattr(av.VideoStream, "set_display_matrix"), reason="this PyAV cannot write a matrix")
def test_mirror_image(tmp_path, plain):
    path = tmp_path / "mirror.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        stream.set_display_rotation(0, hflip=True)
        picture = np.zeros((32, 32, 3), np.uint8)
        picture[:, :16] = 255
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    assert_same(decode(path).frames, plain(path)[:, :, ::-1])


class TestHeaderThatLies:
    @pytest.mark.parametrize("promised", [1, 3, 29, 30, 31, 200])
    @pytest.mark.parametrize("exact", [True, False])
    def test_no_frame_is_lost(self, film, plain, monkeypatch, promised, exact):
        path = film()
        monkeypatch.setattr(decoding, "header_frame_count", lambda source: (promised, exact))
        calls = []
        clip = decode(path, on_progress=lambda done, total: calls.append((done, total)))
        assert_same(clip.frames, plain(path))
        assert calls[-1] == (30, 30)
        assert all(done <= total for done, total in calls)

    def test_growing_respects_the_limit(self, film, monkeypatch):
        monkeypatch.setattr(decoding, "header_frame_count", lambda source: (3, False))
        with pytest.raises(DecodeError, match=r"allowed\. Use one of: frame_load_cap at most 20"):
            decode(film(), max_bytes=20 * 64 * 48 * 12)

    def test_more_than_any_memory(self, film, monkeypatch):
        monkeypatch.setattr(decoding, "header_frame_count", lambda source: (2**60, True))
        with pytest.raises(DecodeError, match="more than is available"):
            decode(film())


class TestDamage:
    def test_a_cut_file_gives_what_it_has(self, film, plain):
        path = film(frames=240, size=(320, 240), options={"movflags": "faststart"})
        whole = plain(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
        clip = decode(path)
        assert 0 < clip.frame_count < 240
        assert clip.missing >= 240 - clip.frame_count
        assert_same(clip.frames[:-4], whole[: clip.frame_count - 4])

    def test_no_frame_at_all(self, film):
        path = film(frames=30, options={"movflags": "faststart"})
        data = path.read_bytes()
        path.write_bytes(data[: data.index(b"mdat") + 4])
        with pytest.raises(DecodeError):
            decode(path)

    @pytest.mark.parametrize("seed", range(12))
    def test_flipped_bytes_end_in_a_clip_or_a_clear_error(self, film, seed):
        path = film(sound=0.5, options={"movflags": "faststart"})
        chance, data = random.Random(seed), bytearray(path.read_bytes())
        for _ in range(40):
            data[chance.randrange(32, len(data))] = chance.randrange(256)
        path.write_bytes(data)
        try:
            clip = decode(path, max_bytes=10**9)
        except DecodeError:
            return
        assert np.isfinite(clip.frames).all()


class TestControl:
    def test_progress_only_grows(self, film):
        calls = []
        decode(film(), on_progress=lambda done, total: calls.append((done, total)))
        assert [done for done, _ in calls] == [*range(1, 31), 30]
        assert {total for _, total in calls} == {30}

    def test_stop(self, film):
        asked = iter(range(1000))
        with pytest.raises(DecodeStopped):
            decode(film(frames=200), should_stop=lambda: next(asked) > 60)

    def test_stop_at_once(self, film):
        with pytest.raises(DecodeStopped):
            decode(film(), should_stop=lambda: True)

    def test_what_a_callback_raises_comes_through(self, film):
        def fail(done: int, total: int) -> None:
            if done == 5:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            decode(film(frames=100), on_progress=fail)

    @pytest.mark.parametrize("bad", [0, 7, 29])
    def test_a_failing_converter_does_not_hang(self, film, monkeypatch, bad):
        path, seen, outcome, real = film(), iter(range(1000)), [], convert.convert

        def fail(*arguments):
            if next(seen) == bad:
                raise RuntimeError("no luck")
            real(*arguments)

        def run():
            with pytest.raises(DecodeError, match="no luck") as caught:
                decode(path)
            outcome.append(caught.value)

        monkeypatch.setattr(convert, "convert", fail)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(timeout=30)
        assert len(outcome) == 1

    def test_several_converters(self, film, plain, monkeypatch):
        monkeypatch.setattr(convert, "_thread_count", lambda: 5)
        monkeypatch.setattr(decoding, "header_frame_count", lambda source: (2, True))
        path = film(frames=120)
        assert_same(decode(path).frames, plain(path))

    def test_a_stalled_converter_does_not_block(self, film, plain, monkeypatch):
        """As for memory that is being fetched: even one core goes on with the other frames meanwhile."""
        went_on, waited, seen, real = threading.Event(), [], iter(range(1000)), convert.convert

        def convert_slowly(*arguments):
            real(*arguments)
            if next(seen) == 0:
                waited.append(went_on.wait(timeout=20))
            else:
                went_on.set()

        monkeypatch.setattr(convert.os, "sched_getaffinity", lambda _process: {0}, raising=False)
        monkeypatch.setattr(convert, "convert", convert_slowly)
        path = film()
        assert_same(decode(path).frames, plain(path))
        assert waited == [True]

    def test_the_limit_is_checked_before_anything_is_allocated(self, film, monkeypatch):
        path, needed = film(), 30 * 64 * 48 * 12
        assert decode(path, max_bytes=needed).frame_count == 30
        monkeypatch.setattr("grok_imagine.media.frames.buffer.np.empty", None)
        with pytest.raises(
            DecodeError,
            match=r"30 frames of 64 × 48, which need 1.1 MB .* longest_side at most",
        ):
            decode(path, max_bytes=needed - 1)
