"""One clip: the pictures and the sound of each mode."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from .caption import Caption
from .landscape import Landscape
from .media import Media, RenderResult, RenderSpec, SourceVideo
from .mp4 import SAMPLES, write
from .planes import Floats, Planes, from_rgb
from .sizes import FPS, SAMPLE_RATE

# Part of a clip's key in the cache: raise it when the pictures change.
FILM_VERSION = 5
# aq-mode 3 spends more on dark, flat areas, where bands would show first. The rest saves a third of the time and
# costs nothing visible here: all motion is slow and sideways.
_X264 = {"preset": "superfast", "crf": "20", "x264-params": "aq-mode=3:subme=0:weightp=0:b-adapt=0:scenecut=0"}
_SPARE = 1.22  # a picture is kept this much larger than the frame, so that zooming in stays sharp
_FADE = 0.9 * FPS
# Contrast, brightness, how much colour is left, and what is added to blue and red; and the words that ask for it.
_GRADES = (
    (1.2, 4, 0.7, 10, -14, "cinematic film movie teal"),
    (1.0, -34, 0.4, 20, -10, "night moon dark blue"),
    (0.85, 14, 0.2, -18, 12, "old vintage retro sepia"),
    (1.35, 12, 0.0, 0, 0, "noir black monochrome white silver"),
    (0.9, 16, 0.7, 4, 20, "dream pink soft sunset warm rose"),
    (1.1, -10, 0.6, -12, -14, "green forest matrix jungle"),
)
# Semitones above the root, for the two chords of a clip.
_CHORDS = (((0, 7, 12, 16), (-3, 4, 9, 12)), ((0, 7, 12, 15), (-4, 3, 8, 12)), ((0, 7, 14, 16), (-7, 5, 9, 12)))


def render(spec: RenderSpec, files: list[bytes], path: Path, should_stop: Callable[[], bool]) -> RenderResult:
    """Render into `path`, in a thread: it takes a processor for a while. Raises what `Media` and `write` do."""
    media = Media(spec, files)
    result, digest = media.result, hashlib.sha256(spec.prompt.strip().encode("utf-8", "surrogatepass")).digest()
    size, samples = (result.width, result.height), result.frames * SAMPLES
    if media.video:
        pictures, sound = _rework(spec, media.video, digest), media.video.sound(samples)
        tail = spec.seconds * SAMPLE_RATE if spec.mode == "extend" else 0
        sound[:, samples - tail :] += _pad(digest, tail)
    else:
        pictures = _show(media.pictures, size, result.frames) if media.pictures else _travel(spec, result)
        sound = _pad(digest, samples)
    caption = Caption(spec.prompt, result.seconds, size, blur=bool(media.video))
    write(path, _captioned(pictures, caption), sound, result, _X264, should_stop)
    return result


def _captioned(pictures: Iterator[Planes], caption: Caption) -> Iterator[Planes]:
    for number, frame in enumerate(pictures):
        caption.paint(frame, number / FPS)
        yield frame


def _travel(spec: RenderSpec, result: RenderResult) -> Iterator[Planes]:
    landscape = Landscape(spec.prompt, result.width, result.height)
    return (landscape.frame(number / FPS) for number in range(result.frames))


def _ease(share: float) -> float:
    return share * share * (3 - 2 * share)


def fit(picture: Image.Image, size: tuple[int, int], larger: float = 1.0) -> Planes:
    """The middle of a picture, as large as the frame or larger."""
    large = (round(size[0] * larger / 2) * 2, round(size[1] * larger / 2) * 2)
    return from_rgb(np.array(ImageOps.fit(picture, large, Image.Resampling.LANCZOS)))


def _close_in(planes: Planes, size: tuple[int, int], share: float) -> Planes:
    """A still picture under a camera that starts at rest on the whole of it (share 0) and moves in (share 1)."""
    scale = 1 / (1 + 0.15 * share)
    views: list[Image.Image] = []
    for plane, half in zip(planes, (1, 2, 2), strict=True):
        left, top = (1 - scale) * (0.5 + 0.3 * share) * plane.width, (1 - scale) * 0.4 * plane.height
        box = (left, top, left + scale * plane.width, top + scale * plane.height)
        how = Image.Resampling.BICUBIC if half == 1 else Image.Resampling.BILINEAR
        views.append(plane.resize((size[0] // half, size[1] // half), how, box))
    return Planes(*views)


def _show(pictures: list[Image.Image], size: tuple[int, int], count: int) -> Iterator[Planes]:
    """All the pictures, each shown equally long and faded into the next."""
    large = [fit(picture, size, _SPARE) for picture in pictures]
    fade = min(_FADE, count / len(large) / 2) if len(large) > 1 else 0.0
    step = (count - fade) / len(large)  # frames from one picture's start to the next one's
    for number in range(count):
        current = min(int(number / step), len(large) - 1)
        since = number - current * step
        frame = _close_in(large[current], size, _ease(min(since / (step + fade), 1.0)))
        if current and since < fade:
            before = _close_in(large[current - 1], size, _ease(min((since + step) / (step + fade), 1.0)))
            share = _ease((since + 0.5) / (fade + 1))
            frame = Planes(*(Image.blend(a, b, share) for a, b in zip(before, frame, strict=True)))
        yield frame


def _rework(spec: RenderSpec, video: SourceVideo, digest: bytes) -> Iterator[Planes]:
    """An edit: the video in other colours. An extension: the video, then its last frame, coming closer."""
    curves, frame = _curves(spec.prompt, digest), None
    for frame in video.read():
        # Copies: a still moment of the video is given more than once, and the caption is painted into each.
        edited = (plane.point(curve) for plane, curve in zip(frame, curves, strict=True))
        yield frame.copy() if spec.mode == "extend" else Planes(*edited)
    if frame is not None and spec.mode == "extend":
        more = spec.seconds * FPS
        yield from (_close_in(frame, video.size, _ease((number + 1) / more)) for number in range(more))


def _curves(prompt: str, digest: bytes) -> list[list[int]]:
    """The grade that the prompt's words ask for, as a table for each plane."""
    words = set(prompt.lower().replace(",", " ").split())
    fitting = [grade for grade in _GRADES if words & set(grade[5].split())] or _GRADES
    contrast, lift, colour, blue, red, _ = fitting[digest[0] % len(fitting)]
    levels = np.arange(256) - 128
    curves = (126 + lift + levels * contrast, 128 + blue + levels * colour, 128 + red + levels * colour)
    return [np.clip(curve, 16, 235).astype(int).tolist() for curve in curves]


def _pad(digest: bytes, samples: int) -> Floats:
    """Two chords that swell into one another: stereo, shape (2, samples), starting and ending in silence."""
    time = np.arange(samples, dtype=np.float32) / SAMPLE_RATE
    swell = 0.5 + 0.5 * np.cos(time * (2 * np.pi / 9))
    edge = np.sin(np.clip(np.minimum(time, time[::-1] * 0.7), 0, 1) * (np.pi / 2)) ** 2
    # Every pitch is a whole number of quarters of a hertz, so that four seconds of it can be repeated.
    turn = np.arange(4 * SAMPLE_RATE, dtype=np.float32) * np.float32(2 * np.pi / SAMPLE_RATE / 4)
    out = np.zeros((2, samples), np.float32)
    for chord, share in zip(_CHORDS[digest[1] % len(_CHORDS)], (swell, 1 - swell), strict=True):
        for number, note in enumerate(chord):
            quarters = round(440 * 2 ** (digest[2] % 8 / 12 + note / 12))
            for channel in range(2):  # a quarter of a hertz apart, which makes the sound wide
                wave = np.sin(turn * np.float32(quarters + channel) + number) / (10 + 5 * number)
                out[channel] += share * np.resize(wave, samples)
    return out * edge
