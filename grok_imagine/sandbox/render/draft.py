"""The draft renderer, for tests: the sizes, frame counts, tracks and tags of a real clip, and hardly any drawing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ..model import Job
from .frames import SAMPLE_RATE, Floats, Planes
from .media import Media, RenderResult
from .render import SAMPLES, Stop, fit, write

_X264 = {"preset": "ultrafast", "qp": "24"}


def render(job: Job, files: list[bytes], path: Path, stop: Stop) -> RenderResult:
    """As `render.render` does, without a caption and without motion."""
    media = Media(job, files)
    samples = media.result.frames * SAMPLES
    sound = media.video.sound(samples) if media.video else _beeps(samples)
    write(path, _pictures(job, media), sound, media.result, _X264, stop)
    return media.result


def _pictures(job: Job, media: Media) -> Iterator[Planes]:
    """Stills; an edit is the video inverted, an extension the video and then its last frame."""
    size, count = media.result.size, media.result.frames
    if media.video is None:
        still = [fit(picture, size) for picture in media.pictures] or [_plain(job.prompt, size)]
        yield from (still[number * len(still) // count] for number in range(count))
        return
    frame, inverted = None, list(range(255, -1, -1))
    for frame in media.video.read():
        yield frame if job.mode == "extend" else Planes(*(plane.point(inverted) for plane in frame))
    if frame:
        yield from [frame] * (count - media.video.frames)


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


def _beeps(samples: int) -> Floats:
    """A short tone at each second, else silence: next to nothing to encode."""
    sound = np.zeros((2, samples), np.float32)
    tone = 0.2 * np.sin(np.arange(SAMPLE_RATE // 12) * (2 * np.pi * 440 / SAMPLE_RATE))
    for start in range(0, samples, SAMPLE_RATE):
        sound[:, start : start + len(tone)] = tone
    return sound
