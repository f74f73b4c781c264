"""The director: which camera for which mode, how long, how large, and what it sounds like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from .canvas import Planes
from .caption import Caption, Frost
from .colour import Bytes, Floats
from .grade import Grading
from .scene import Scene
from .sizes import FPS, frame_size, ratio_name, size_like
from .sound import pad
from .source import Source
from .stills import Shot, UnusableFootageError, open_picture, play, shots_of
from .writer import SAMPLES_PER_FRAME, write

__all__ = ["FILM_VERSION", "Footage", "Script", "UnusableFootageError", "render"]

# Part of the cache key: raise it when the pictures change.
FILM_VERSION = 4
_ACCENT = (190, 110, 145)


@dataclass(frozen=True, slots=True)
class Script:
    """What to film."""

    mode: Literal["text", "image", "reference", "edit", "extend"]
    prompt: str
    seconds: int
    tier: str
    ratio: str
    source_limit: tuple[float, float] = (0.0, 60.0)


@dataclass(frozen=True, slots=True)
class Footage:
    """What was filmed."""

    width: int
    height: int
    frames: int
    ratio: str

    @property
    def seconds(self) -> float:
        return self.frames / FPS


@dataclass(frozen=True, slots=True)
class _Plan:
    size: tuple[int, int]
    frames: int
    pictures: Iterator[Planes]
    sound: Floats
    accent: tuple[int, int, int]


def render(script: Script, media: list[bytes], path: Path, should_stop: Callable[[], bool]) -> Footage:
    """Film the script into `path`. Runs in a worker thread."""
    plan = (
        _text(script)
        if not media
        else _edit_or_extend(script, media[0])
        if script.mode in ("edit", "extend")
        else _stills(script, media)
    )
    width, height = plan.size
    caption = Caption(script.prompt, plan.frames / FPS, width, height, plan.accent)
    write(path, _captioned(plan.pictures, caption), plan.frames, plan.size, plan.sound, should_stop)
    return Footage(width, height, plan.frames, ratio_name(width, height))


def _captioned(pictures: Iterator[Planes], caption: Caption) -> Iterator[Bytes]:
    for number, frame in enumerate(pictures):
        caption.paint(frame, number / FPS)
        yield frame.packed()


def _text(script: Script) -> _Plan:
    size, frames = frame_size(script.tier, script.ratio or "16:9"), script.seconds * FPS
    scene = Scene(script.prompt, *size)
    pictures = (scene.frame(number / FPS) for number in range(frames))
    return _Plan(size, frames, pictures, pad(script.prompt, frames * SAMPLES_PER_FRAME), scene.accent)


def _stills(script: Script, media: list[bytes]) -> _Plan:
    pictures = [open_picture(data) for data in media]
    size = frame_size(script.tier, script.ratio) if script.ratio else size_like(script.tier, *pictures[0].size)
    frames = script.seconds * FPS
    shots = shots_of(pictures, size, script.prompt)
    return _Plan(size, frames, play(shots, frames), pad(script.prompt, frames * SAMPLES_PER_FRAME), _ACCENT)


def _edit_or_extend(script: Script, data: bytes) -> _Plan:
    source = Source(data)
    low, high = script.source_limit
    if not low - 0.05 <= source.seconds <= high + 0.05:
        raise UnusableFootageError(f"the source video lasts {source.seconds:.1f} s; {low:g} to {high:g} s are taken")
    frames = max(round(source.seconds * FPS), 1)
    return _edit(script, source, frames) if script.mode == "edit" else _extend(script, source, frames)


def _edit(script: Script, source: Source, frames: int) -> _Plan:
    grading = Grading(script.prompt)
    pictures = (grading.apply(frame) for frame in _frosted(source, frames))
    samples = frames * SAMPLES_PER_FRAME
    sound = source.sound(samples) if source.has_sound else pad(script.prompt, samples)
    return _Plan(source.size, frames, pictures, sound, _ACCENT)


def _extend(script: Script, source: Source, frames: int) -> _Plan:
    more = script.seconds * FPS
    head, tail = frames * SAMPLES_PER_FRAME, more * SAMPLES_PER_FRAME
    sound = np.concatenate([source.sound(head), pad(script.prompt, tail)], axis=1)
    return _Plan(source.size, frames + more, _continued(source, frames, more), sound, _ACCENT)


def _frosted(source: Source, frames: int) -> Iterator[Planes]:
    frost = Frost(*source.size)
    for frame in source.pictures(source.size, frames):
        # A still moment of the source is handed out more than once, so the glass goes onto a copy.
        copy = frame.copy()
        frost.paint(copy)
        yield copy


def _continued(source: Source, frames: int, more: int) -> Iterator[Planes]:
    """The source, then a camera that starts at rest on its last frame and closes in."""
    last: Planes | None = None
    for last in _frosted(source, frames):
        # The caption is painted into the frame that is handed out; the last one must stay clean.
        yield last.copy()
    if last is not None:
        shot = Shot(last, source.size, 5, gentle_start=True)
        for number in range(more):
            yield shot.at((number + 1) / more)
