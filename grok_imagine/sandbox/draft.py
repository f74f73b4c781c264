"""The draft renderer, for tests: the sizes, frame counts, tracks and tags of the film, and hardly any drawing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from .film.media import Media, RenderResult, RenderSpec, SourceVideo
from .film.mp4 import SAMPLES, write
from .film.planes import Floats, Planes
from .film.render import fit
from .film.sizes import FPS, SAMPLE_RATE

_X264 = {"preset": "ultrafast", "qp": "24"}


def render(spec: RenderSpec, files: list[bytes], path: Path, should_stop: Callable[[], bool]) -> RenderResult:
    """As `film.render` does, without a caption and without motion."""
    media = Media(spec, files)
    result = media.result
    if media.video:
        pictures, sound = _rework(spec, media.video), media.video.sound(result.frames * SAMPLES)
    else:
        size = (result.width, result.height)
        still = [fit(picture, size) for picture in media.pictures] or [_plain(spec.prompt, size)]
        pictures = (still[number * len(still) // result.frames] for number in range(result.frames))
        sound = _beeps(result.frames * SAMPLES)
    write(path, pictures, sound, result, _X264, should_stop)
    return result


def _plain(prompt: str, size: tuple[int, int]) -> Planes:
    """A colour of the prompt's own, and a light stripe."""
    digest = hashlib.sha256(prompt.strip().encode("utf-8", "surrogatepass")).digest()
    half = (size[0] // 2, size[1] // 2)
    picture = Planes(
        Image.new("L", size, 40 + digest[0] % 160),
        Image.new("L", half, 64 + digest[1] // 2),
        Image.new("L", half, 64 + digest[2] // 2),
    )
    picture.y.paste(215, (0, half[1], size[0], half[1] + 16))
    return picture


def _rework(spec: RenderSpec, video: SourceVideo) -> Iterator[Planes]:
    """An edit: the video inverted. An extension: the video, then its last frame."""
    frame: Planes | None = None
    inverted = list(range(255, -1, -1))
    for frame in video.read():
        yield frame if spec.mode == "extend" else Planes(*(plane.point(inverted) for plane in frame))
    if frame is not None and spec.mode == "extend":
        yield from [frame] * (spec.seconds * FPS)


def _beeps(samples: int) -> Floats:
    """A short tone at each second, else silence: next to nothing to encode."""
    sound = np.zeros((2, samples), np.float32)
    tone = 0.2 * np.sin(np.arange(SAMPLE_RATE // 12) * (2 * np.pi * 440 / SAMPLE_RATE))
    for start in range(0, samples, SAMPLE_RATE):
        sound[:, start : start + len(tone)] = tone
    return sound
