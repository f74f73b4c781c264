"""Small real films, made with PyAV in the moment they are needed."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

RATE, SOUND_RATE, TONE = 24, 44100, 440.0


def scene(index: int, width: int, height: int) -> np.ndarray:
    """A smooth gradient that moves, with a red corner: survives compression, and shows which way up it is."""
    y, x = np.mgrid[0:height, 0:width]
    picture = np.stack([x * 255 // width, y * 255 // height, np.full_like(x, index * 5 % 256)], axis=-1)
    picture[: height // 4, : width // 4] = (255, 0, 0)
    return picture.astype(np.uint8)


def sine(seconds: float, channels: int = 2) -> np.ndarray:
    t = np.arange(round(seconds * SOUND_RATE)) / SOUND_RATE
    return np.tile(0.5 * np.sin(2 * np.pi * TONE * t), (channels, 1)).astype(np.float32)


def add_sound(container: Any, stream: Any, samples: np.ndarray, late: float) -> None:
    first = round(late * SOUND_RATE)
    for at in range(0, samples.shape[1], 1024):
        piece = np.ascontiguousarray(samples[:, at : at + 1024])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=stream.layout.name)
        frame.rate, frame.pts, frame.time_base = SOUND_RATE, first + at, Fraction(1, SOUND_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def make_film(
    path: Path,
    *,
    frames: int = 30,
    size: tuple[int, int] = (64, 48),
    pixel_format: str = "yuv420p",
    codec: str = "libx264",
    times: Sequence[int] | None = None,
    picture: bool = True,
    sound: float = 0,
    channels: int = 2,
    sound_late: float = 0,
    rotate: int | None = None,
    options: dict[str, str] | None = None,
    encoder: dict[str, str] | None = None,
) -> Path:
    with av.open(str(path), "w", options=options or {}) as container:
        video: Any = container.add_stream(codec, rate=RATE) if picture else None
        if video:
            video.width, video.height, video.pix_fmt = *size, pixel_format
            video.options = encoder or {}
            if rotate is not None:
                video.set_display_rotation(rotate)
        audio: Any = container.add_stream("aac", rate=SOUND_RATE) if sound else None
        if audio:
            audio.layout = {1: "mono", 2: "stereo"}[channels]
        for index in range(frames if video else 0):
            frame = av.VideoFrame.from_ndarray(scene(index, *size), format="rgb24")
            frame.pts, frame.time_base = (times[index] if times else index), Fraction(1, RATE)
            container.mux(video.encode(frame))
        if video:
            container.mux(video.encode())
        if audio:
            add_sound(container, audio, sine(sound, channels), sound_late)
    return path


@pytest.fixture
def film(tmp_path: Path) -> Callable[..., Path]:
    """``film(name="film.mp4", **what)`` gives the path of a new film; see ``make_film``."""

    def make(name: str = "film.mp4", **what: Any) -> Path:
        return make_film(tmp_path / name, **what)

    return make


@pytest.fixture(scope="session")
def scenery() -> Any:
    """Pictures like photos and renderings: ``scenery.photo(width, height)`` gives floats in 0..1."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "pictures.py"
    spec = importlib.util.spec_from_file_location("scenery", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def plain() -> Callable[[Path], np.ndarray]:
    """The yardstick: one thread, one frame after the other."""

    def read(path: Path) -> np.ndarray:
        with av.open(str(path)) as container:
            return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])

    return read


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("convert-")]
