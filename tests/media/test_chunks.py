"""Joined chunks equal the video: no frame twice or missing, and the audio unchanged."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from grok_imagine.errors import EncodeError, RequestError
from grok_imagine.media.frames.decode import decode
from grok_imagine.media.frames.selection import FrameSelection
from grok_imagine.media.mux.chunks import chunk, join_chunks, write_chunk

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("total", [1, 7, 48, 100])
@pytest.mark.parametrize("size", [1, 5, 48])
@pytest.mark.parametrize("overlap", [0, 1, 3, 60])
def test_every_frame_is_in_one_chunk(total, size, overlap):
    pieces = [chunk(index, total, size, overlap) for index in range(chunk(0, total, size, overlap).count)]
    own = [n for one in pieces for n in range(one.first + one.overlap, one.first + one.frames)]
    assert own == list(range(total))
    assert all(one.frames <= size + overlap for one in pieces)
    with pytest.raises(RequestError, match="no chunk"):
        chunk(len(pieces), total, size, overlap)


@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize("ends_open", [True, False])
def test_interpolated_chunks_have_no_gap_and_no_repeat(factor, ends_open):
    """One that puts frames between frames, and, or not, as many after the last."""
    shown = []
    for index in range(4):
        one = chunk(index, 30, 8, 1)
        times = [Fraction(one.first) + Fraction(n, factor) for n in range((one.frames - 1) * factor + 1)]
        if ends_open:
            times += [times[-1] + Fraction(n, factor) for n in range(1, factor)]
        made = len(times)
        assert one.factor(made) == factor
        shown += times[one.count_repeats(made) :]
    if not ends_open or factor == 1:
        assert shown == [Fraction(n, factor) for n in range(29 * factor + 1)]
    else:
        assert len(shown) == 30 * factor


def test_fewer_frames_than_went_in_are_refused():
    with pytest.raises(RequestError, match="not fewer"):
        chunk(1, 30, 8, 0).count_repeats(7)


@pytest.mark.parametrize("size", [(64, 48), (51, 37)])
def test_joined_chunks_equal_the_video(film, tmp_path, size):
    source = film(frames=50, size=size, pixel_format="yuv444p", sound=50 / 24)
    whole = decode(source)
    paths = []
    for index in range(4):
        one = chunk(index, 50, 15, 2)
        clip = decode(source, window=one.window)
        paths.append(tmp_path / f"{index}.mp4")
        write_chunk(paths[-1], clip.frames[one.count_repeats(clip.frame_count) :], clip.rate, 4)
    join_chunks(paths, source, tmp_path / "joined.mp4")
    joined = decode(tmp_path / "joined.mp4")
    assert joined.frames.shape == whole.frames.shape
    assert np.abs(joined.frames - whole.frames).mean() < 3 / 255
    # Neighbours differ by no more than the encoder may change.
    nearest = [int(np.abs(whole.frames - one).mean((1, 2, 3)).argmin()) for one in joined.frames]
    assert max(abs(found - number) for number, found in enumerate(nearest)) <= 1
    assert (joined.rate, joined.duration) == (24, whole.duration)
    assert np.array_equal(joined.audio.samples, whole.audio.samples), "copied, not encoded anew"
    assert not list(tmp_path.glob(".*"))


def test_colours_survive(tmp_path):
    picture = np.zeros((32, 48, 3), np.float32)
    picture[...] = np.array([200, 30, 40]) / 255
    write_chunk(tmp_path / "red.mp4", [picture] * 3, Fraction(24), 1)
    assert np.abs(decode(tmp_path / "red.mp4").frames - picture).max() < 3 / 255
    with av.open(str(tmp_path / "red.mp4")) as container:
        frame = next(container.decode(video=0))
        assert (int(frame.colorspace), int(frame.color_range)) == (1, 1)


def test_nothing_and_other_sizes_are_refused(film, tmp_path):
    with pytest.raises(EncodeError, match="no frames"):
        write_chunk(tmp_path / "x.mp4", [], Fraction(24), 16)
    with pytest.raises(EncodeError, match="one size"):
        write_chunk(tmp_path / "x.mp4", [np.zeros((8, 8, 3)), np.zeros((8, 10, 3))], Fraction(24), 16)
    assert not list(tmp_path.iterdir())
    write_chunk(tmp_path / "a.mp4", [np.zeros((16, 16, 3))], Fraction(24), 16)
    write_chunk(tmp_path / "b.mp4", [np.zeros((16, 32, 3))], Fraction(24), 16)
    with pytest.raises(EncodeError, match="32 × 16"):
        join_chunks([tmp_path / "a.mp4", tmp_path / "b.mp4"], film(), tmp_path / "joined.mp4")


def test_two_writers_of_one_chunk_do_not_interfere(tmp_path):
    """As two processes that split the same video do: the second begins and ends while the first is writing."""
    target = tmp_path / "0.mp4"

    def frames():
        # x264 holds back its first packet, with which the file is opened, for some 60 frames.
        yield from [np.zeros((16, 16, 3))] * 100
        write_chunk(target, [np.zeros((16, 16, 3))] * 2, Fraction(24), 16)
        yield np.zeros((16, 16, 3))

    write_chunk(target, frames(), Fraction(24), 16)
    assert decode(target).frame_count == 101
    assert [path.name for path in tmp_path.iterdir()] == ["0.mp4"]


WORK = """
import resource, sys
from pathlib import Path
from grok_imagine.media.mux.chunks import chunk, join_chunks, write_chunk
from grok_imagine.media.frames.decode import decode
source, folder = Path(sys.argv[1]), Path(sys.argv[2])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
decode(source, window=chunk(0, 120, 6, 0).window)
before, pieces = peak(), []
for index in range(10):
    clip = decode(source, window=chunk(index, 120, 12, 0).window)
    pieces.append(folder / f"{index}.mp4")
    write_chunk(pieces[-1], clip.frames, clip.rate, 30)
    del clip
join_chunks(pieces, source, folder / "joined.mp4")
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other units")
def test_memory_depends_on_the_chunk(film, tmp_path):
    source = film(frames=120, size=(480, 360))
    command = [sys.executable, "-c", WORK, str(source), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    whole, piece = 120 * 480 * 360 * 12, 12 * 480 * 360 * 12
    assert int(done.stdout) < 2.5 * piece < whole / 3, "a piece, and what the encoder holds"
    assert decode(tmp_path / "joined.mp4", window=FrameSelection(which="last")).frame_count == 1
