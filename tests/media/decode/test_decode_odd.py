"""Unusual files: each gives a defined result, or an error that says what is wrong."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction

import av
import numpy as np
import pytest

from grok_imagine.errors import DecodeError
from grok_imagine.media import open
from grok_imagine.media.frames.decode import decode
from grok_imagine.media.frames.selection import FrameSelection
from grok_imagine.media.images.thumbnail import thumbnail
from grok_imagine.media.join.segments import read_format
from grok_imagine.media.mux.source_video import prepare_video
from grok_imagine.media.probe import probe


def _can_encode(name: str) -> bool:
    try:
        av.Codec(name, "w")
    except Exception:
        return False
    return True


HUGE = (16000, 15000)


def one_bit_png(width: int, height: int) -> bytes:
    """A black picture of 240 million pixels, in some kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    lines = zlib.compress(bytes((1 + width // 8) * height))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def boxes(data: bytes, kind: bytes) -> int:
    """Where the contents of an MP4's box begin."""
    return data.index(kind) + 4


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("film.webm", "libvpx-vp9", "yuva420p"),
        ("film.mov", "prores_ks", "yuva444p10le"),
        ("film.mov", "qtrle", "argb"),
    ],
)
def test_alpha_and_ten_bits_give_three_channels(film, plain, name, codec, pixel_format):
    if not _can_encode(codec):
        pytest.skip(f"this FFmpeg has no {codec}")
    path = film(name, codec=codec, pixel_format=pixel_format, frames=6)
    clip = decode(path)
    assert clip.frames.shape == (6, 48, 64, 3)
    assert np.abs(clip.frames - plain(path) / np.float32(255)).max() <= 1 / 255 + 1e-6
    assert np.array_equal(decode(path, window=FrameSelection(which="last")).frames, clip.frames[-1:])


@pytest.mark.parametrize("matrix", [1, 5, 6, 7, 9])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_each_matrix_is_taken_as_it_is_named(tmp_path, matrix, pixel_format):
    """White and grey do not depend on the matrix; saturated red does, by more than a step."""
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width = stream.height = 64
        stream.pix_fmt, stream.options = pixel_format, {"qp": "0"}
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 1
        frame = av.VideoFrame(64, 64, pixel_format)
        values = (63, 102, 240) if pixel_format == "yuv420p" else (63 * 4, 102 * 4, 240 * 4)
        for plane, value in zip(frame.planes, values, strict=True):
            one = bytes([value]) if pixel_format == "yuv420p" else struct.pack("<H", value)
            plane.update(one * (plane.buffer_size // len(one)))
        frame.colorspace, frame.color_range = matrix, 1
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    weights = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
    of_red, of_blue = weights[matrix]
    luma, blue, red = (63 - 16) / 219, (102 - 128) / 224, (240 - 128) / 224
    r, b = luma + 2 * (1 - of_red) * red, luma + 2 * (1 - of_blue) * blue
    g = (luma - of_red * r - of_blue * b) / (1 - of_red - of_blue)
    expected = np.clip([r, g, b], 0, 1)
    assert np.abs(decode(path).frames - expected).max() < 3 / 255


def test_a_film_without_a_length_is_read_to_its_end(film):
    path = film("film.mkv", frames=30, options={"live": "1"}, sound=1.25)
    with av.open(str(path)) as container:
        assert container.duration is None or container.streams.video[0].frames == 0
    assert decode(path).frame_count == 30
    assert decode(path, window=FrameSelection(which="last")).frame_count == 1


def test_a_film_without_frames_is_an_error(film):
    for window in (FrameSelection(), FrameSelection(which="last")):
        with pytest.raises(DecodeError):
            decode(film(frames=0, sound=1.0), window=window)


def test_a_cut_file_still_has_windows(film):
    path = film(frames=240, size=(320, 240), options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    whole = decode(path)
    part = decode(path, window=FrameSelection(skip_first_frames=20, frame_load_cap=5))
    assert np.array_equal(part.frames, whole.frames[20:25])
    assert decode(path, window=FrameSelection(which="last")).frame_count == 1


class TestBomb:
    """A few kilobytes that claim to be gigabytes."""

    def test_a_huge_picture_is_refused_by_its_header(self, film, monkeypatch):
        monkeypatch.setattr(open, "MAX_PIXELS", 64 * 48 - 1)
        with pytest.raises(DecodeError, match=r"claims to be (64 × 48|more than 3071) pixels.*not decoded"):
            decode(film())

    @pytest.mark.parametrize(
        "reader", [decode, probe, prepare_video, read_format, lambda path: thumbnail(path, path.with_suffix(".jpg"))]
    )
    def test_every_reader_refuses_a_small_file_of_a_huge_picture(self, tmp_path, reader):
        path = tmp_path / "huge.mov"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("png", rate=1)
            stream.width, stream.height, stream.pix_fmt = *HUGE, "monob"
            packet = av.Packet(one_bit_png(*HUGE))
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1)
            container.mux(packet)
        assert path.stat().st_size < 100_000
        with pytest.raises(DecodeError, match=r"claims to be .* pixels, more than any video"):
            reader(path)

    def test_frames_larger_than_the_header_says_are_not_decoded(self, film, monkeypatch):
        """The header of the MP4 says 16 × 16, the film within says 64 × 48: FFmpeg itself is told the limit."""
        path = film()
        data = bytearray(path.read_bytes())
        at = boxes(bytes(data), b"avc1") + 24
        data[at : at + 4] = struct.pack(">HH", 16, 16)
        path.write_bytes(data)
        monkeypatch.setattr(open, "MAX_PIXELS", 32 * 32)
        with pytest.raises(DecodeError):
            decode(path)

    @pytest.mark.parametrize("window", [FrameSelection(), FrameSelection(select_every_nth=2)], ids=["whole", "window"])
    def test_more_than_fits_is_refused_before_a_frame_is_decoded(self, film, monkeypatch, window):
        path = film(frames=200, size=(320, 240))
        decoded: list[object] = []
        monkeypatch.setattr("grok_imagine.media.frames.decode.Orientation", lambda *_: decoded.append(1))
        with pytest.raises(DecodeError, match="Use one of"):
            decode(path, window=window, max_bytes=5_000_000)
        assert decoded == []


def test_the_rate_of_a_variable_film_is_its_average(film):
    clip = decode(film(frames=8, times=[0, 1, 2, 10, 11, 30, 31, 48]), window=FrameSelection(select_every_nth=2))
    assert clip.frame_count == 4
    assert clip.rate < Fraction(24)
