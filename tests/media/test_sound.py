"""Audio keeps its length, its pitch, and its alignment with the video."""

from __future__ import annotations

import av
import numpy as np
import pytest

from grok_imagine.media.frames.decode import decode
from grok_imagine.media.join import segments


def pitch(samples: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("seconds", [0.5, 1.25, 2.0])
def test_length_and_pitch(film, seconds, channels):
    audio = decode(film(sound=seconds, channels=channels)).audio
    assert audio.samples.dtype == np.float32
    assert audio.samples.shape == (1, channels, round(seconds * 44100))
    assert (audio.rate, float(audio.duration)) == (44100, seconds)
    for channel in audio.samples[0]:
        assert pitch(channel, 44100) == pytest.approx(440, abs=2)
        # The encoder overshoots where the tone breaks off.
        assert np.abs(channel[2048:-2048]).max() == pytest.approx(0.5, abs=0.05)


def test_no_sound(film):
    assert decode(film()).audio is None


def test_late_sound_begins_with_silence(film):
    audio = decode(film("film.mkv", sound=0.5, sound_late=0.25)).audio
    late = round(0.25 * 44100)
    assert audio.samples.shape[2] == pytest.approx(late + 22050, abs=2100)
    assert np.abs(audio.samples[0, 0, : late - 1100]).max() < 0.02
    assert np.abs(audio.samples[0, 0, late + 1100 : late + 3000]).max() > 0.4


def test_sound_before_the_picture_goes(film):
    clip = decode(film("film.mkv", frames=24, times=range(12, 36), sound=1.5))
    assert float(clip.start) == pytest.approx(0.5, abs=0.01)
    assert float(clip.audio.duration) == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("layout", ["2.1", "4 channels", "5.1", "7.1", "hexadecagonal"])
def test_each_channel_keeps_its_samples(tmp_path, layout):
    path = tmp_path / "many.mov"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=44100)
        sound.layout = layout
        count = sound.layout.nb_channels
        for _ in range(24):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(video.encode())
        levels = np.arange(1, count + 1, dtype=np.int16) * 1024
        packed = np.tile(levels, 44100)[np.newaxis]
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.rate, frame.pts = 44100, 0
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    samples = decode(path).audio.samples
    assert samples.shape == (1, count, 44100)
    assert samples.flags.c_contiguous
    assert (samples == (levels / 32768)[:, np.newaxis]).all()
    joined = segments.sound(path, 48000)
    assert joined.shape == (2, 48000)
    assert np.abs(joined[:, 1000:-1000]).min() > levels[0] / 32768 / 2


def test_integer_samples_become_floats(tmp_path, film):
    source, path = film(sound=0.5), tmp_path / "pcm.mkv"
    with av.open(str(source)) as read, av.open(str(path), "w") as write:
        video = write.add_stream("mpeg4", rate=24)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = write.add_stream("pcm_s16le", rate=44100)
        sound.layout = "stereo"
        for frame in read.decode(video=0):
            frame.pict_type = 0
            write.mux(video.encode(frame))
        write.mux(video.encode())
        read.seek(0)
        for frame in read.decode(audio=0):
            write.mux(sound.encode(frame))
        write.mux(sound.encode())
    audio = decode(path).audio
    assert audio.samples.dtype == np.float32
    assert pitch(audio.samples[0, 0], 44100) == pytest.approx(440, abs=2)
    assert np.abs(audio.samples).max() == pytest.approx(0.5, abs=0.05)
