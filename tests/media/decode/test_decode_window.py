"""Selections, sizes and their audio equal a cut of the whole video, with less decoding."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from grok_imagine.errors import DecodeError, RequestError
from grok_imagine.media.frames import seek
from grok_imagine.media.frames.decode import decode
from grok_imagine.media.frames.resize import Resize
from grok_imagine.media.frames.selection import FrameSelection
from grok_imagine.media.stop import DecodeStopped

FILMS = {
    "mp4": {"options": {"movflags": "faststart"}},
    "mkv": {"name": "film.mkv"},
    "ts": {"name": "film.ts"},
    "avi": {"name": "film.avi", "codec": "mpeg4"},
    "short groups": {"groups": 3},
    "variable rate": {"times": [n + n // 7 * 5 for n in range(120)]},
    "fragments": {"options": {"movflags": "frag_keyframe+empty_moov"}},
}


@pytest.fixture
def long_film(film):
    def make(**what):
        groups = what.pop("groups", 24)
        return film(**{"frames": 120, "encoder": {"g": str(groups), "bf": "3", "sc_threshold": "0"}, **what})

    return make


@pytest.mark.parametrize("kind", FILMS)
@pytest.mark.parametrize(
    ("window", "cut"),
    [
        ({"skip_first_frames": 50}, np.s_[50:]),
        ({"frame_load_cap": 7}, np.s_[:7]),
        ({"skip_first_frames": 71, "frame_load_cap": 3}, np.s_[71:74]),
        ({"select_every_nth": 8}, np.s_[::8]),
        ({"select_every_nth": 50}, np.s_[::50]),
        ({"skip_first_frames": 5, "select_every_nth": 9, "frame_load_cap": 10}, np.s_[5:95:9]),
        ({"which": "last"}, np.s_[-1:]),
        ({"which": "first"}, np.s_[:1]),
        ({"skip_first_frames": 119}, np.s_[119:]),
    ],
    ids=str,
)
def test_a_window_is_a_slice_of_the_whole(long_film, kind, window, cut):
    path = long_film(**FILMS[kind])
    whole = decode(path)
    part = decode(path, window=FrameSelection(**window))
    assert np.array_equal(part.frames, whole.frames[cut])
    assert part.rate == whole.rate / window.get("select_every_nth", 1)
    assert part.missing == 0


def test_a_time_span_and_its_audio(long_film):
    path = long_film(sound=5.0)
    whole = decode(path)
    part = decode(path, window=FrameSelection(start_seconds=1.5, duration_seconds=2.0))
    assert np.array_equal(part.frames, whole.frames[36:84])
    assert (float(part.start), float(part.duration)) == (1.5, 2.0)
    assert part.audio.samples.shape == (1, 2, 2 * 44100)
    expected = whole.audio.samples[..., round(1.5 * 44100) : round(3.5 * 44100)]
    assert np.abs(part.audio.samples - expected).max() < 1e-4, "the very samples: no block lacks its neighbour"


@pytest.mark.parametrize("which", ["first", "last"])
def test_one_frame_has_the_audio_of_its_duration(long_film, which):
    part = decode(long_film(sound=5.0), window=FrameSelection(which=which))
    assert part.frame_count == 1
    assert part.audio.samples.shape[2] == pytest.approx(44100 / 24, abs=2)


def test_sound_keeps_its_length_beside_every_nth_frame(long_film):
    part = decode(long_film(sound=5.0), window=FrameSelection(select_every_nth=8))
    assert (part.frame_count, part.rate) == (15, 3)
    assert part.audio.samples.shape[2] == 5 * 44100


def test_a_part_beyond_the_sound_has_none(long_film):
    assert decode(long_film(sound=1.0), window=FrameSelection(start_seconds=3)).audio is None


@pytest.mark.parametrize("rate", [12, 24, 30, 60])
def test_a_forced_rate_shows_what_is_seen_at_each_tick(long_film, rate):
    path = long_film()
    whole = decode(path)
    part = decode(path, window=FrameSelection(force_rate=rate))
    seen = [int(tick * 24 / rate + 1e-6) for tick in range(5 * rate)]
    assert np.array_equal(part.frames, whole.frames[seen])
    assert (part.rate, float(part.duration)) == (rate, 5.0)


def test_a_forced_rate_evens_out_a_variable_one(long_film):
    path = long_film(frames=8, times=[0, 1, 2, 10, 11, 30, 31, 48])
    whole, part = decode(path), decode(path, window=FrameSelection(force_rate=24))
    assert np.array_equal(part.frames[:49], whole.frames[[0, 1, *[2] * 8, 3, *[4] * 19, 5, *[6] * 17, 7]])


class TestLittleIsDecoded:
    @pytest.fixture
    def decoded(self, monkeypatch):
        fed, real = [], seek.FrameReader._needed_packets

        def count(self, stretch):
            for packet in real(self, stretch):
                fed.append(packet.pts)
                yield packet

        monkeypatch.setattr(seek.FrameReader, "_needed_packets", count)
        return fed

    def test_a_window_costs_its_own_length(self, long_film, decoded):
        decode(long_film(), window=FrameSelection(skip_first_frames=100, frame_load_cap=2))
        assert len(decoded) <= 12, "from the key frame 96 on, without the frames that nothing is built on"

    def test_wide_strides_jump_over_whole_groups(self, long_film, decoded):
        decode(long_film(), window=FrameSelection(select_every_nth=72))
        assert len(decoded) == 2

    def test_the_last_frame_needs_only_its_group(self, long_film, decoded):
        decode(long_film(), window=FrameSelection(which="last"))
        assert len(decoded) < 24

    def test_memory_follows_what_is_wanted(self, long_film, monkeypatch):
        made, real = [], np.empty

        def empty(shape, *rest, **named):
            if np.size(shape) == 4:  # frames; old NumPy makes arrays of its own with it, too
                made.append(int(np.prod(shape)) * 4)
            return real(shape, *rest, **named)

        path = long_film()
        monkeypatch.setattr("grok_imagine.media.frames.buffer.np.empty", empty)
        decode(path, window=FrameSelection(skip_first_frames=100, frame_load_cap=2))
        decode(path, window=FrameSelection(select_every_nth=40))
        decode(path, resize=Resize(longest_side=32))
        assert made == [2 * 64 * 48 * 12, 3 * 64 * 48 * 12, 120 * 32 * 24 * 12]


class TestFaults:
    def test_all_invalid_numbers_are_reported_together(self):
        with pytest.raises(RequestError) as caught:
            FrameSelection(start_seconds=-1, force_rate=float("nan"), select_every_nth=0)
        assert all(f"- {name}: " in str(caught.value) for name in ("start_seconds", "force_rate", "select_every_nth"))
        with pytest.raises(RequestError) as caught:
            Resize(longest_side=64, width=-3, multiple_of=0)
        assert all(f"- {name}: " in str(caught.value) for name in ("longest_side", "width", "multiple_of"))

    @pytest.mark.parametrize(
        ("window", "said"),
        [
            ({"start_seconds": 9}, "the video ends at 5.00 s"),
            ({"skip_first_frames": 120}, "only 120 frames"),
            ({"skip_first_frames": 9, "start_seconds": 4.8}, "only 4 frames in that time span"),
        ],
    )
    def test_an_empty_window_names_its_reason(self, long_film, window, said):
        with pytest.raises(RequestError, match=said):
            decode(long_film(), window=FrameSelection(**window))

    def test_a_window_can_be_stopped(self, long_film):
        asked = iter(range(1000))
        with pytest.raises(DecodeStopped):
            decode(long_film(), window=FrameSelection(skip_first_frames=3), should_stop=lambda: next(asked) > 130)

    def test_a_damaged_last_frame_gives_the_one_before(self, long_film):
        path = long_film(options={"movflags": "faststart"})
        with av.open(str(path)) as container:
            packets = [one for one in container.demux(video=0) if one.size]
            last = max(packets, key=lambda one: one.pts)
            at = last.pos
        data = bytearray(path.read_bytes())
        data[at : at + 4] = b"\0\0\0\1"
        data[at + 4 : at + last.size] = b"\xff" * (last.size - 4)
        path.write_bytes(data)
        assert decode(path, window=FrameSelection(which="last")).frame_count == 1


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"longest_side": 32}, (32, 24)),
        ({"longest_side": 640}, (64, 48)),
        ({"width": 32}, (32, 24)),
        ({"height": 96}, (128, 96)),
        ({"width": 40, "height": 40}, (40, 40)),
        ({"width": 40, "height": 40, "fit": "pad"}, (40, 40)),
        ({"width": 40, "height": 40, "fit": "stretch"}, (40, 40)),
        ({"multiple_of": 32}, (64, 32)),
        ({"longest_side": 50, "multiple_of": 8}, (48, 32)),
    ],
    ids=str,
)
def test_sizes(film, options, size):
    clip = decode(film(frames=3), resize=Resize(**options))
    assert clip.size == size
    assert 0 <= clip.frames.min() <= clip.frames.max() <= 1


def test_crop_keeps_the_middle_and_pad_shows_all(film):
    path = film(frames=1, size=(96, 48))
    whole = decode(path).frames[0]
    cropped = decode(path, resize=Resize(width=48, height=48)).frames[0]
    assert np.abs(cropped - whole[:, 24:72]).max() < 2 / 255
    padded = decode(path, resize=Resize(width=96, height=96, fit="pad")).frames[0]
    assert np.abs(padded[24:72] - whole).max() < 2 / 255
    assert padded[:24].max() == padded[72:].max() == 0


@pytest.mark.skipif(not hasattr(av.VideoStream, "set_display_rotation"), reason="this PyAV cannot write a rotation")
def test_a_rotated_video_is_resized_upright(film):
    path = film(frames=2, rotate=90)
    assert decode(path).size == (48, 64)
    clip = decode(path, resize=Resize(width=24, height=64))
    assert clip.size == (24, 64)
    assert np.abs(clip.frames - decode(path).frames[:, :, 12:36]).max() < 3 / 255


def test_on_plan_is_called_before_memory_is_allocated(long_film, monkeypatch):
    told = []
    decode(long_film(), window=FrameSelection(select_every_nth=2), resize=Resize(longest_side=32), on_plan=told.append)
    (plan,) = told
    assert (plan.frames, plan.is_exact, plan.width, plan.height) == (60, True, 32, 24)
    assert plan.bytes == 60 * 32 * 24 * 12
    assert str(plan) == "60 frames of 32 × 24, 0.6 MB"
    assert plan.rate == Fraction(12)
    monkeypatch.setattr("grok_imagine.media.frames.buffer.np.empty", None)
    with pytest.raises(
        DecodeError, match="frame_load_cap at most 10, or select_every_nth at least 12, or longest_side"
    ):
        decode(long_film(), max_bytes=10 * 64 * 48 * 12)
