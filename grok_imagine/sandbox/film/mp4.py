"""The MP4 file: H.264 and AAC as a player, an editor and a browser like them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from .media import RenderResult, UnusableMediaError
from .planes import BT709, VIDEO_RANGE, Floats, Planes
from .sizes import FPS, SAMPLE_RATE

SAMPLES = SAMPLE_RATE // FPS  # of sound, for each frame
_AAC = {"aac_tns": "0", "aac_pns": "0", "aac_is": "0", "aac_ms": "0"}  # half the time, and nothing that is heard here


class StoppedError(Exception):
    """The sandbox is closing; the render was given up."""


def write(
    path: Path,
    pictures: Iterator[Planes],
    sound: Floats,
    result: RenderResult,
    x264: dict[str, str],
    should_stop: Callable[[], bool],
) -> None:
    """Write exactly the result's frames, at 24 a second and tagged BT.709, and sound of the same length.

    Raises UnusableMediaError where a source video is damaged, and StoppedError where `should_stop` said so.
    """
    file: Any = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
    with file as container:
        video, audio = _streams(container, result, x264)
        drawn, frame, number = None, av.VideoFrame(), -1
        try:
            for number, picture in enumerate(pictures):
                if should_stop():
                    raise StoppedError
                if number % FPS == 0:  # a second of sound at a time, so that the two are interleaved as they play
                    _put_sound(container, audio, sound, number)
                if picture is not drawn:
                    drawn, frame = picture, picture.to_frame()
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                container.mux(video.encode(frame))
        except FFmpegError as error:
            raise UnusableMediaError(f"the video cannot be decoded: {type(error).__name__}") from None
        if number + 1 != result.frames:
            raise UnusableMediaError(f"the video ends early: {number + 1} of {result.frames} frames")
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def _streams(container: Any, result: RenderResult, x264: dict[str, str]) -> tuple[Any, Any]:
    video = container.add_stream("libx264", rate=FPS, options=x264)
    video.width, video.height, video.pix_fmt = result.width, result.height, "yuv420p"
    context = video.codec_context
    context.gop_size, context.thread_count, context.color_range = 2 * FPS, 1, VIDEO_RANGE
    context.colorspace = context.color_primaries = context.color_trc = BT709
    audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo", options=_AAC)
    audio.codec_context.bit_rate = 96_000
    return video, audio


def _put_sound(container: Any, audio: Any, sound: Floats, number: int) -> None:
    piece = sound[:, number * SAMPLES : (number + FPS) * SAMPLES]
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece, np.float32), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, number * SAMPLES, Fraction(1, SAMPLE_RATE)
    container.mux(audio.encode(frame))
