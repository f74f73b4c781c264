"""The MP4: H.264 and AAC as a player, an editor and a browser like them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from .colour import Bytes, Floats
from .sizes import FPS, SAMPLE_RATE

SAMPLES_PER_FRAME = SAMPLE_RATE // FPS
_BT709 = 1
_VIDEO_RANGE = 1


class StoppedError(Exception):
    """The sandbox is closing; the render was given up."""


def write(
    path: Path,
    frames: Iterator[Bytes],
    count: int,
    size: tuple[int, int],
    sound: Floats,
    should_stop: Callable[[], bool],
) -> None:
    """Write exactly `count` frames and `count / 24` seconds of stereo sound."""
    file: Any = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
    with file as container:
        video, audio = _streams(container, size)
        done = 0
        for number, picture in enumerate(frames):
            if should_stop():
                raise StoppedError
            if number % (FPS // 2) == 0:
                # Half a second of sound at a time, so that the two are interleaved as they play.
                _put_sound(container, audio, sound, number, min(number + FPS // 2, count))
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            frame.colorspace, frame.color_range = _BT709, _VIDEO_RANGE
            container.mux(video.encode(frame))
            done += 1
        if done != count:
            raise RuntimeError(f"{done} frames drawn, {count} wanted")
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def _streams(container: Any, size: tuple[int, int]) -> tuple[Any, Any]:
    video = container.add_stream("libx264", rate=FPS)
    video.width, video.height, video.pix_fmt = size[0], size[1], "yuv420p"
    video.time_base = Fraction(1, FPS)
    context = video.codec_context
    context.gop_size = 2 * FPS
    # PyAV's own choice, slices, would keep most of x264 on one core.
    context.thread_type = "FRAME"
    context.thread_count = 0
    context.color_range = _VIDEO_RANGE
    context.color_primaries = context.color_trc = context.colorspace = _BT709
    # aq-mode 3 spends more on dark, flat areas: night skies would band first. The two search settings below
    # "veryfast" cost nothing visible here and save a third of the time: all motion is slow and sideways.
    video.options = {
        "preset": "veryfast",
        "crf": "18",
        "x264-params": "aq-mode=3:subme=1:me=dia:colorprim=bt709:transfer=bt709:colormatrix=bt709",
    }
    audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
    audio.codec_context.bit_rate = 160_000
    return video, audio


def _put_sound(container: Any, audio: Any, sound: Floats, first: int, last: int) -> None:
    piece = sound[:, first * SAMPLES_PER_FRAME : last * SAMPLES_PER_FRAME]
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece, np.float32), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts = SAMPLE_RATE, first * SAMPLES_PER_FRAME
    frame.time_base = Fraction(1, SAMPLE_RATE)
    container.mux(audio.encode(frame))
