"""One clip: the pictures and the sound of each mode, and the MP4 file they are written to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from PIL import Image, ImageOps

from ..model import Job
from .caption import Caption
from .frames import BT709, FPS, SAMPLE_RATE, VIDEO_RANGE, Floats, Planes, even, from_rgb
from .landscape import Landscape
from .media import Media, RenderResult, UnusableMediaError

# Part of a clip's key in the cache: raise it when the pictures change.
RENDER_VERSION = 5
SAMPLES = SAMPLE_RATE // FPS  # of sound, for each frame
Stop = Callable[[], bool]
# Fast, and nothing of it is seen: all motion is slow and sideways. aq-mode 3 keeps bands out of dark, flat areas.
_MOTION_SEARCH = "aq-mode=3:subme=0:weightp=0:b-adapt=0:scenecut=0:bframes=7"
_X264 = {"preset": "superfast", "crf": "20", "x264-params": _MOTION_SEARCH}
# How much colour an edit keeps, and what it adds to blue and to red.
_GRADES = ((0.6, 20, -14), (0.2, -20, 14), (0.0, 0, 0), (0.7, 6, 22), (0.6, -12, -16))
# Without the tools, and without what is above 8 kHz, AAC takes half the time.
_AAC = {"aac_tns": "0", "aac_pns": "0", "aac_is": "0", "aac_ms": "0", "cutoff": "8000"}


def render(job: Job, files: list[bytes], path: Path, stop: Stop) -> RenderResult:
    """Render into `path`; it takes a processor for a while, so call it in a thread. Raises what `write` does."""
    media = Media(job, files)
    result, digest = media.result, hashlib.sha256(job.prompt.strip().encode("utf-8", "surrogatepass")).digest()
    samples = result.frames * SAMPLES
    if media.video:
        tail = job.seconds * SAMPLE_RATE if job.mode == "extend" else 0
        sound = media.video.sound(samples)
        sound[:, samples - tail :] += _chord(digest, tail)
    else:
        sound = _chord(digest, samples)
    caption = Caption(job.prompt, result.frames / FPS, result.size, blur=bool(media.video))
    write(path, _captioned(_pictures(job, media, digest), caption), sound, result, _X264, stop)
    return result


def _captioned(pictures: Iterator[Planes], caption: Caption) -> Iterator[Planes]:
    for number, frame in enumerate(pictures):
        caption.paint(frame, number / FPS)
        yield frame


def _pictures(job: Job, media: Media, digest: bytes) -> Iterator[Planes]:
    size, count = media.result.size, media.result.frames
    if media.video is None:
        if media.pictures:
            yield from _slideshow(media.pictures, size, count)
        else:
            landscape = Landscape(job.prompt, size, count / FPS)
            yield from (landscape.frame(number / FPS) for number in range(count))
        return
    colour, blue, red = _GRADES[2 if "noir" in job.prompt.lower() else digest[0] % len(_GRADES)]
    levels, frame = np.arange(256) - 128, None
    tables = (120 + 1.2 * levels, 128 + blue + colour * levels, 128 + red + colour * levels)
    curves = [np.clip(table, 16, 235).astype(int).tolist() for table in tables]
    for frame in media.video.read():
        # Copies: a still moment of the video is given more than once, and the caption is painted into each.
        edited = (plane.point(curve) for plane, curve in zip(frame, curves, strict=True))
        yield frame.copy() if job.mode == "extend" else Planes(*edited)
    more = count - media.video.frames
    if frame:
        yield from (_zoom_in(frame, size, _ease((number + 1) / more)) for number in range(more))


def _ease(share: float) -> float:
    return share * share * (3 - 2 * share)


def fit(picture: Image.Image, size: tuple[int, int], larger: float = 1.0) -> Planes:
    """The middle of a picture, as large as the frame or larger."""
    large = even(size[0] * larger), even(size[1] * larger)
    return from_rgb(np.array(ImageOps.fit(picture, large, Image.Resampling.LANCZOS)), large)


def _zoom_in(planes: Planes, size: tuple[int, int], share: float) -> Planes:
    """A still picture under a camera that starts at rest on the whole of it (share 0) and moves in (share 1)."""
    scale, views = 1 / (1 + 0.15 * share), list[Image.Image]()
    for plane, half in zip(planes, (1, 2, 2), strict=True):
        left, top = (1 - scale) * (0.5 + 0.3 * share) * plane.width, (1 - scale) * 0.4 * plane.height
        box = (left, top, left + scale * plane.width, top + scale * plane.height)
        how = Image.Resampling.BICUBIC if half == 1 else Image.Resampling.BILINEAR
        views.append(plane.resize((size[0] // half, size[1] // half), how, box))
    return Planes(*views)


def _slideshow(pictures: list[Image.Image], size: tuple[int, int], count: int) -> Iterator[Planes]:
    """All the pictures, each shown equally long and faded into the next."""
    large = [fit(picture, size, 1.2) for picture in pictures]
    fade = min(0.9 * FPS, count / len(large) / 2) if len(large) > 1 else 0.0
    step = (count - fade) / len(large)  # frames from one picture's start to the next one's
    for number in range(count):
        current = min(int(number / step), len(large) - 1)
        since = number - current * step
        frame = _zoom_in(large[current], size, _ease(min(since / (step + fade), 1.0)))
        if current and since < fade:
            before = _zoom_in(large[current - 1], size, _ease(min((since + step) / (step + fade), 1.0)))
            share = _ease((since + 0.5) / (fade + 1))
            frame = Planes(*(Image.blend(a, b, share) for a, b in zip(before, frame, strict=True)))
        yield frame


def _chord(digest: bytes, samples: int) -> Floats:
    """A chord whose notes swell in turn: stereo, shape (2, samples), starting and ending in silence."""
    time = np.arange(samples, dtype=np.float32) / SAMPLE_RATE
    edge = np.sin(np.clip(np.minimum(time, time[::-1] * 0.7), 0, 1) * (np.pi / 2)) ** 2
    sound = np.zeros((2, samples), np.float32)
    for number, note in enumerate((0, 7, 12, 16)):
        pitch = 2 * np.pi * 110 * 2 ** ((digest[2] % 8 + note) / 12)
        swell = edge * (1.2 + np.sin(time * (0.7 + 0.2 * number))) * (0.08 / (1 + number / 2))
        for channel in range(2):  # a quarter of a hertz apart, which makes the sound wide
            sound[channel] += swell * np.sin(time * np.float32(pitch + channel * 1.6))
    return sound


def write(
    path: Path, pictures: Iterator[Planes], sound: Floats, result: RenderResult, x264: dict[str, str], stop: Stop
) -> None:
    """Write exactly the result's frames, at 24 a second and tagged BT.709, and sound of the same length.

    Raises UnusableMediaError where a source video is damaged, and InterruptedError where `stop` says so.
    """
    file: Any = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
    with file as container:
        video = container.add_stream("libx264", rate=FPS, options=x264)
        video.width, video.height, video.pix_fmt = *result.size, "yuv420p"
        context = video.codec_context
        context.gop_size, context.thread_count, context.color_range = 2 * FPS, 1, VIDEO_RANGE
        context.colorspace = context.color_primaries = context.color_trc = BT709
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo", options=_AAC)
        audio.codec_context.bit_rate = 96_000
        drawn, frame, number = None, av.VideoFrame(), -1
        try:
            for number, picture in enumerate(pictures):
                if stop():
                    raise InterruptedError("the sandbox is closing")
                if number % FPS == 0:  # a second of sound at a time, so that the two are interleaved as they play
                    container.mux(audio.encode(_sound(sound, number * SAMPLES)))
                if picture is not drawn:
                    drawn, frame = picture, picture.to_frame()
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                container.mux(video.encode(frame))
        except FFmpegError as error:
            raise UnusableMediaError(f"the video cannot be decoded: {type(error).__name__}") from None
        if number + 1 != result.frames:
            raise UnusableMediaError(f"the video ends early: {number + 1} of {result.frames} frames")
        container.mux([*video.encode(None), *audio.encode(None)])


def _sound(sound: Floats, first: int) -> av.AudioFrame:
    piece = np.ascontiguousarray(sound[:, first : first + SAMPLE_RATE], np.float32)
    frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, first, Fraction(1, SAMPLE_RATE)
    return frame
