"""Preparing a video for upload: same content, no metadata, within the limits of length and size."""

from __future__ import annotations

import json
import random
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from grok_imagine.errors import DecodeError, EncodeError, MediaError
from grok_imagine.media.frames.decode import decode
from grok_imagine.media.images.image_format import sniff
from grok_imagine.media.mux import source_video
from grok_imagine.media.mux.source_video import prepare_video
from grok_imagine.media.probe import probe
from grok_imagine.media.stop import DecodeStopped

SECRET = "a castle in the rain, my very own words"
needs_rotation = pytest.mark.skipif(
    not hasattr(av.VideoStream, "set_display_rotation"), reason="this PyAV cannot write a rotation"
)


@pytest.fixture
def saved(tmp_path):
    def save(source):
        assert (source.blob.media_type, sniff(source.blob.data)) == ("video/mp4", "video/mp4")
        assert source.blob.data.index(b"moov") < source.blob.data.index(b"mdat")
        path = tmp_path / "prepared.mp4"
        path.write_bytes(source.blob.data)
        return path

    return save


def packets(path):
    with av.open(str(path)) as container:
        return [
            (packet.stream.type, float(packet.pts * packet.time_base), bytes(packet))
            for packet in container.demux()
            if packet.pts is not None
        ]


def noise_film(path, *, size=(320, 240), frames=48, codec="libx264"):
    chance = np.random.default_rng(3)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=24, options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for _ in range(frames):
            picture = chance.integers(0, 256, (size[1] // 4, size[0] // 4, 3), np.uint8).repeat(4, 0).repeat(4, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    return path


class TestCopies:
    @pytest.mark.parametrize("codec", ["libx264", "libx265"])
    @pytest.mark.parametrize("sound", [0, 1.25])
    def test_every_packet_to_the_last_bit(self, film, saved, codec, sound):
        path = film(codec=codec, sound=sound)
        prepared = packets(saved(prepare_video(path)))
        assert prepared == [(kind, pytest.approx(time, abs=1e-4), data) for kind, time, data in packets(path)]

    @pytest.mark.parametrize("kind", ["mkv", "ts", "flv", "mov"])
    def test_from_other_containers(self, film, saved, kind):
        path = film(f"film.{kind}", sound=1.25)
        prepared = saved(prepare_video(path))
        before, after = decode(path), decode(prepared)
        np.testing.assert_array_equal(after.frames, before.frames)
        assert after.audio.samples.shape[2] == pytest.approx(before.audio.samples.shape[2], abs=1100)
        assert probe(prepared).codec == "h264"

    def test_the_sound_stays_where_it_is(self, film, saved):
        path = film("film.mkv", times=range(12, 42), sound=1.5)
        before, after = decode(path), decode(saved(prepare_video(path)))
        assert float(after.start) == pytest.approx(float(before.start), abs=0.01)
        assert after.audio.samples.shape[2] == pytest.approx(before.audio.samples.shape[2], abs=1100)

    def test_a_late_start_is_removed(self, film, saved):
        after = decode(saved(prepare_video(film("film.ts"))))
        assert after.start == 0
        assert after.frame_count == 30

    def test_a_variable_rate(self, film, saved):
        path = film(frames=8, times=[0, 1, 2, 10, 11, 30, 31, 48])
        source = prepare_video(path)
        assert packets(saved(source)) == packets(path)
        # The last frame is taken to last as long as the one before.
        assert 48 / 24 < source.seconds == pytest.approx(float(decode(path).duration), abs=0.8)

    def test_fragments_become_one_piece(self, film, saved):
        path = film(options={"movflags": "frag_keyframe+empty_moov"}, sound=1.25)
        prepared = saved(prepare_video(path))
        assert b"moof" in path.read_bytes()
        assert b"moof" not in prepared.read_bytes()
        np.testing.assert_array_equal(decode(prepared).frames, decode(path).frames)

    @needs_rotation
    @pytest.mark.parametrize("degrees", [0, 90, 180, 270])
    def test_rotation(self, film, saved, degrees):
        path = film(rotate=degrees)
        prepared = saved(prepare_video(path))
        assert probe(prepared).rotation == probe(path).rotation
        assert [data for *_, data in packets(prepared)] == [data for *_, data in packets(path)]
        np.testing.assert_array_equal(decode(prepared).frames, decode(path).frames)

    @needs_rotation
    def test_a_rotation_that_gets_lost_is_put_into_the_pixels(self, film, saved, monkeypatch):
        path, expected = film(rotate=90), probe(film(rotate=90))
        real = source_video._PrepareRun._make

        def losing(self, plan, copies_audio):
            real(self, plan, copies_audio)
            if plan is None:
                self.target.write_bytes(film("unturned.mp4").read_bytes())

        monkeypatch.setattr(source_video._PrepareRun, "_make", losing)
        prepared = saved(prepare_video(path))
        assert (probe(prepared).width, probe(prepared).height) == (expected.width, expected.height)
        assert np.abs(decode(prepared).frames - decode(path).frames).max() < 0.06


def with_secrets(source, path, size=0):
    """As ComfyUI writes it, and with all else that an MP4 can hold."""
    with av.open(str(source)) as read, av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as write:
        write.metadata.update(
            prompt=json.dumps({"3": {"inputs": {"text": SECRET}}}),
            workflow=json.dumps({"nodes": [SECRET], "more": "x" * size}),
            title=SECRET,
            comment=SECRET,
            location="+47.3769+008.5417/",
            creation_time="2026-01-02T03:04:05.000000Z",
        )
        target = write.add_stream_from_template(read.streams.video[0], opaque=True)
        target.metadata.update(handler_name=SECRET, language="deu")
        if hasattr(write, "set_chapters"):
            chapter = {"id": 0, "start": 0, "end": 1, "time_base": Fraction(1), "metadata": {"title": SECRET}}
            write.set_chapters([chapter])
        for packet in read.demux(read.streams.video[0]):
            if packet.dts is not None:
                packet.stream = target
                write.mux(packet)
    return path


class TestMetadata:
    @pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
    @pytest.mark.parametrize("encoded", [False, True])
    def test_no_metadata_is_kept(self, film, tmp_path, saved, suffix, encoded):
        path = with_secrets(film(codec="mpeg4" if encoded else "libx264"), tmp_path / f"secret.{suffix}")
        assert SECRET.encode() in path.read_bytes()
        prepared = saved(prepare_video(path))
        data = prepared.read_bytes()
        for word in (SECRET, "castle", "workflow", "prompt", "47.3769", "deu", "Lavf", "secret", str(tmp_path)):
            assert word.encode() not in data
        header = data[data.index(b"mvhd") + 8 :][:8]
        assert header == bytes(8), "a time of creation or of change"
        with av.open(str(prepared)) as container:
            assert set(container.metadata) <= {"major_brand", "minor_version", "compatible_brands"}
            assert {stream.metadata["language"] for stream in container.streams} == {"und"}

    def test_only_the_streams_count_for_the_limit(self, film, tmp_path, saved):
        path = with_secrets(film(), tmp_path / "secret.mp4", size=100_000)
        source = prepare_video(path, max_bytes=20_000)
        assert len(source.blob) < 5_000 < path.stat().st_size
        assert [data for *_, data in packets(saved(source))] == [data for *_, data in packets(film())]


class TestEncodes:
    @pytest.mark.parametrize(
        "what",
        [
            {"name": "film.webm", "codec": "libvpx-vp9"},
            {"name": "film.webm", "codec": "libvpx-vp9", "pixel_format": "yuv444p"},
            {"name": "film.mkv", "codec": "mpeg4"},
            {"name": "film.avi", "codec": "mpeg4", "sound": 1.25},
            {"name": "film.mov", "codec": "mjpeg", "pixel_format": "yuvj420p"},
            {"name": "film.mkv", "codec": "ffv1", "pixel_format": "bgr0"},
            {"name": "film.mkv", "codec": "ffv1", "pixel_format": "gray"},
            {"name": "film.mkv", "codec": "ffv1", "pixel_format": "yuv420p10le"},
        ],
        ids=str,
    )
    def test_other_codecs(self, film, saved, what):
        path = film(**what)
        source = prepare_video(path)
        prepared = saved(source)
        before, after, info = decode(path), decode(prepared), probe(prepared)
        assert source.seconds == pytest.approx(30 / 24, abs=0.05)
        assert (info.codec, info.pixel_format, info.has_audio) == ("h264", "yuv420p", "sound" in what)
        assert after.frames.shape == before.frames.shape
        assert float(after.duration) == pytest.approx(30 / 24, abs=0.05)
        # The red corner has hard edges, which 4:2:0 blurs.
        assert np.abs(after.frames - before.frames).mean() < 0.012

    def test_an_animated_gif(self, tmp_path, saved):
        path = tmp_path / "film.gif"
        first, *more = (Image.new("RGB", (63, 47), (40 * step, 90, 200)) for step in range(6))
        first.save(path, save_all=True, append_images=more, duration=200, loop=0)
        source = prepare_video(path)
        after = decode(saved(source))
        assert source.seconds == pytest.approx(1.2, abs=0.01)
        assert (after.frame_count, after.size) == (6, (62, 46))
        assert after.frames[-1].mean(axis=(0, 1)) * 255 == pytest.approx((200, 90, 200), abs=3)

    @pytest.mark.parametrize("size", [(51, 37), (64, 37), (51, 48), (2, 2), (1, 1)])
    def test_odd_sides_lose_a_line(self, film, saved, size):
        path = film("film.mkv", codec="ffv1", pixel_format="yuv444p", size=size, frames=5)
        after = decode(saved(prepare_video(path)))
        expected = tuple(max(2, side // 2 * 2) for side in size)
        assert after.size == expected
        if min(size) > 2:
            before = decode(path).frames[:, : expected[1], : expected[0]]
            assert np.abs(after.frames - before).mean() < 0.02

    @needs_rotation
    @pytest.mark.parametrize("degrees", [90, 180, 270])
    def test_rotation_goes_into_the_pixels(self, film, saved, degrees):
        path = film("film.mkv", codec="ffv1", pixel_format="yuv420p", rotate=degrees, frames=5)
        prepared = saved(prepare_video(path))
        assert probe(prepared).rotation == 0
        assert np.abs(decode(prepared).frames - decode(path).frames).mean() < 0.01

    def test_a_variable_rate(self, film, saved):
        times = [0, 1, 2, 10, 11, 30, 31, 48]
        path = film("film.mkv", codec="ffv1", frames=8, times=times)
        shown = sorted(time for _, time, _ in packets(saved(prepare_video(path))))
        assert shown == pytest.approx([time / 24 for time in times], abs=0.002)

    @pytest.mark.parametrize("codec", ["pcm_s16le", "libopus", "flac"])
    def test_only_the_sound(self, film, tmp_path, saved, codec):
        source, path = film(sound=1.25), tmp_path / "film.mkv"
        with av.open(str(source)) as read, av.open(str(path), "w") as write:
            video = write.add_stream_from_template(read.streams.video[0], opaque=True)
            audio = write.add_stream(codec, rate=48_000)
            audio.layout = "stereo"
            for packet in read.demux():
                if packet.stream.type == "audio":
                    for frame in packet.decode():
                        write.mux(audio.encode(frame))
                elif packet.dts is not None:
                    packet.stream = video
                    write.mux(packet)
            write.mux(audio.encode())
        prepared = saved(prepare_video(path))
        before, after, info = decode(source), decode(prepared), probe(prepared)
        np.testing.assert_array_equal(after.frames, before.frames)
        assert (info.audio_rate, info.audio_channels) == (48_000, 2)
        assert float(after.audio.duration) == pytest.approx(1.25, abs=0.03)
        assert b"Lavc" not in prepared.read_bytes()

    def test_colours_stay_with_their_tags(self, tmp_path, saved):
        path = tmp_path / "film.mkv"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("ffv1", rate=24)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            context = stream.codec_context
            context.colorspace = context.color_primaries = context.color_trc = 1
            context.color_range = 1
            frame = av.VideoFrame(64, 64, "yuv420p")
            for plane, value in zip(frame.planes, (63, 102, 240), strict=True):
                plane.update(bytes([value]) * plane.buffer_size)
            frame.colorspace, frame.color_range = 1, 1
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
        before, after = decode(path).frames[0, 32, 32], decode(saved(prepare_video(path))).frames[0, 32, 32]
        assert before[0] > 0.9
        assert after == pytest.approx(before, abs=0.012)


class TestSize:
    @pytest.mark.parametrize(
        "limit", [*(pytest.param(limit, marks=pytest.mark.slow) for limit in (600_000, 200_000, 15_000)), 60_000]
    )
    def test_it_always_ends_below(self, tmp_path, saved, limit):
        path = noise_film(tmp_path / "film.mp4")
        assert path.stat().st_size > 600_000
        source = prepare_video(path, max_bytes=limit)
        prepared = saved(source)
        info = probe(prepared)
        assert limit / 4 < len(source.blob) <= limit
        assert (info.frame_count, source.seconds) == (48, 2.0)
        assert info.width / info.height == pytest.approx(320 / 240, rel=0.05)
        assert (info.width == 320) == (limit == 600_000)

    def test_sound_too_takes_less(self, film, saved):
        source = prepare_video(film(frames=48, sound=2), max_bytes=24_000)
        info = probe(saved(source))
        assert len(source.blob) <= 24_000
        assert info.has_audio
        assert source.seconds == pytest.approx(2, abs=0.01)

    def test_what_cannot_be_done(self, film):
        with pytest.raises(EncodeError, match="cannot be made to fit"):
            prepare_video(film(), max_bytes=500)


class TestLength:
    def test_too_long(self, film):
        with pytest.raises(
            MediaError,
            match=r"my film\.mp4 lasts 3\.00 s, but at most 2\.5 s are allowed\. Trim it first with ComfyUI's node "
            r'Video Slice or with: ffmpeg -i "my film\.mp4" -t 2\.5 trimmed\.mp4',
        ):
            prepare_video(film("my film.mp4", frames=72), max_seconds=2.5)

    def test_too_short(self, film):
        with pytest.raises(MediaError, match=r"lasts 1\.25 s, but at least 2 s are needed"):
            prepare_video(film(), min_seconds=2)

    def test_the_limits_themselves_are_allowed(self, film):
        assert prepare_video(film(), min_seconds=1.25, max_seconds=1.25).seconds == 1.25
        assert prepare_video(film(sound=1.25), max_seconds=1.25).seconds == 1.25
        assert prepare_video(film("film.mkv"), max_seconds=1.25, min_seconds=1.24).seconds == pytest.approx(
            1.25, abs=0.01
        )

    def test_sound_that_goes_on(self, film):
        path = film(sound=4)
        assert prepare_video(path).seconds == 1.25
        with pytest.raises(MediaError, match=r"lasts 4\.0\d s \(its video stream only 1\.25 s\), but at most 3 s"):
            prepare_video(path, max_seconds=3)
        with pytest.raises(MediaError, match=r"lasts 1\.25 s, but at least 2 s"):
            prepare_video(path, min_seconds=2)

    def test_a_recording_that_does_not_tell_its_length(self, film, saved):
        path = film("film.webm", codec="libvpx-vp9", options={"live": "1"})
        with av.open(str(path)) as container:
            assert not container.duration
        assert prepare_video(path).seconds == pytest.approx(1.25, abs=0.01)
        with pytest.raises(MediaError, match=r"lasts 1\.2\d s"):
            prepare_video(path, max_seconds=1)

    def test_nothing_is_encoded_for_what_is_too_long(self, film, monkeypatch):
        monkeypatch.setattr(source_video, "_PrepareRun", None)
        with pytest.raises(MediaError, match="lasts"):
            prepare_video(film(), max_seconds=1)


class TestSameBytes:
    @pytest.mark.parametrize(
        "what",
        [
            {"sound": 1.25},
            {"name": "film.mkv", "sound": 1.25},
            {"name": "film.mkv", "codec": "mpeg4", "size": (160, 120)},
            {"name": "film.gif", "codec": "gif", "pixel_format": "rgb8"},
        ],
        ids=str,
    )
    def test_again_and_again(self, film, tmp_path, what):
        path = film(**what)
        other = tmp_path / f"another name{path.suffix}"
        other.write_bytes(path.read_bytes())
        hashes = {prepare_video(path).blob.sha256}
        for length in range(8, 16):
            film("between.mp4", frames=length, sound=0.2)
            hashes.add(prepare_video(other).blob.sha256)
        assert len(hashes) == 1

    def test_when_made_smaller(self, tmp_path):
        path = noise_film(tmp_path / "film.mp4", size=(160, 120))
        assert len({prepare_video(path, max_bytes=30_000).blob.sha256 for _ in range(3)}) == 1


class TestHostile:
    @pytest.mark.parametrize("data", [b"", b"Hello, this is no video.\n" * 100, b"#EXTM3U\n#EXTINF:2,\nother.mp4\n"])
    def test_no_video(self, tmp_path, data):
        path = tmp_path / "film.mp4"
        path.write_bytes(data)
        with pytest.raises(DecodeError):
            prepare_video(path)

    def test_missing_and_folder(self, tmp_path):
        for path in (tmp_path / "nothing.mp4", tmp_path):
            with pytest.raises(DecodeError, match="File not found"):
                prepare_video(path)

    def test_sound_only(self, film):
        with pytest.raises(DecodeError, match="sound, but no video"):
            prepare_video(film("film.m4a", picture=False, sound=0.5))

    @pytest.mark.parametrize("codec", [pytest.param("libx264", marks=pytest.mark.slow), "mpeg4"])
    def test_cut_short(self, film, codec):
        path = film(frames=240, size=(320, 240), codec=codec, options={"movflags": "faststart"})
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
        with pytest.raises(DecodeError, match=r"cut short"):
            prepare_video(path)

    @pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.webm", "film.ts", "film.gif"])
    @pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 6))])
    def test_flipped_bytes_end_in_a_clip_or_a_clear_error(self, film, saved, name, seed):
        codec = {"film.webm": "libvpx-vp9", "film.gif": "gif"}.get(name, "libx264")
        sound = 0 if codec != "libx264" else 0.5
        path = film(name, codec=codec, pixel_format="rgb8" if codec == "gif" else "yuv420p", sound=sound, frames=12)
        chance, data = random.Random(seed), bytearray(path.read_bytes())
        for _ in range(20):
            data[chance.randrange(32, len(data))] = chance.randrange(256)
        path.write_bytes(data)
        try:
            source = prepare_video(path, max_bytes=200_000)
        except MediaError:
            return
        assert len(source.blob) <= 200_000
        saved(source)

    @pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
    @pytest.mark.parametrize("after", [0, 20])
    def test_stop(self, film, tmp_path, monkeypatch, codec, after):
        path, asked = film(frames=100, codec=codec), iter(range(1000))
        (tmp_path / "temp").mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
        with pytest.raises(DecodeStopped):
            prepare_video(path, should_stop=lambda: next(asked) >= after)
        assert not list((tmp_path / "temp").iterdir())
