"""Writes the odd videos of the corpus: small, each frame with its number, one with a flash where the sound clicks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

CLICK_HZ, CLICK_SECONDS, CLICK_AFTER = 2000, 0.002, 0.010
BITS = 8
PATCH = (192, 64, 48)
"""RGB of the right half of every frame. The click comes CLICK_AFTER seconds after the flash."""


@dataclass(frozen=True)
class Video:
    """What to write. Times are in seconds, ``gap`` is a span whose sound packets are dropped."""

    name: str = "video.mp4"
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    size: tuple[int, int] = (64, 48)
    rate: Fraction = Fraction(24)
    frames: int = 48
    times: tuple[float, ...] = ()
    flash: int = 36
    sound: str = ""
    sound_rate: int = 48000
    layout: str = "stereo"
    sound_starts: float = 0
    gap: tuple[float, float] = (0, 0)
    silent_track_first: bool = False
    starts: float = 0
    base: Fraction | None = None
    """The encoder's; by default 1 / rate, which MPEG-1, 2 and 4 need."""
    container: dict[str, str] = field(default_factory=dict[str, str])
    encoder: dict[str, str] = field(default_factory=dict[str, str])
    aspect: Fraction | None = None
    rotation: int = 0
    matrix: int = 0
    full_range: bool = False
    change: Callable[[bytes], bytes] | None = None

    @property
    def tick(self) -> Fraction:
        """The encoder's time base."""
        return self.base or 1 / self.rate

    @property
    def shown_at(self) -> list[float]:
        """When each frame is shown, in seconds from the first one."""
        return list(self.times) or [float(number / self.rate) for number in range(self.frames)]


def picture(video: Video, number: int) -> np.ndarray:
    """Left: the number in bits from the top down, white for 1. Right: PATCH. The flash turns the lower right white."""
    width, height = video.size
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:, width // 2 :] = PATCH
    for bit in range(BITS):
        rows = slice(bit * height // BITS, (bit + 1) * height // BITS)
        pixels[rows, : width // 2] = 255 * (number >> bit & 1)
    if number == video.flash:
        pixels[height // 2 :, width // 2 :] = 255
    return pixels


def number_in(frame: np.ndarray) -> int:
    """The number of a decoded frame ``[H, W, 3]``."""
    height, width = frame.shape[:2]
    rows = [int((bit + 0.5) * height / BITS) for bit in range(BITS)]
    return sum(int(frame[row, width // 4].mean() > 0.5) << bit for bit, row in enumerate(rows))


def patch_in(frame: np.ndarray) -> np.ndarray:
    """The mean of the patch's upper middle, RGB in 0..255."""
    height, width = frame.shape[:2]
    return frame[height // 8 : height // 3, width * 5 // 8 : width * 7 // 8].mean((0, 1)) * 255


def has_flash(frame: np.ndarray) -> bool:
    """Whether the lower right is white."""
    height, width = frame.shape[:2]
    return bool(frame[height * 5 // 8 : height * 7 // 8, width * 5 // 8 : width * 7 // 8].mean() > 0.85)


def click_in(samples: np.ndarray, rate: int) -> float | None:
    """The middle of the click in ``[C, N]``, in seconds; None where there is none."""
    power = np.convolve((samples**2).sum(0), np.ones(round(CLICK_SECONDS * rate)), "same")
    return float(power.argmax() / rate) if len(power) and power.max() > 0.5 else None


def write(video: Video, folder: Path) -> Path:
    """Write the file with PyAV."""
    path = folder / video.name
    with av.open(str(path), "w", options=dict(video.container)) as film:
        picture_stream = _video_stream(film, video)
        sounds = [_sound_stream(film, video) for _ in range(1 + video.silent_track_first)] if video.sound else []
        if video.silent_track_first:
            sounds[0].disposition, sounds[1].disposition = 0, 1
        packets = [*_pictures(picture_stream, video)]
        for packet in packets:
            # PyAV 14 says the shortest time there is.
            packet.duration = max(packet.duration or 0, round(1 / video.rate / packet.time_base))
        for stream in sounds:
            is_silent = video.silent_track_first and stream is sounds[0]
            packets += _kept(_samples(stream, video, is_silent), video)
        packets.sort(key=lambda packet: packet.dts * packet.time_base)
        for packet in packets:
            film.mux(packet)
    if video.change:
        path.write_bytes(video.change(path.read_bytes()))
    return path


def _video_stream(film: Any, video: Video) -> Any:
    stream: Any = film.add_stream(video.codec, rate=video.rate)
    stream.width, stream.height, stream.pix_fmt = *video.size, video.pixel_format
    stream.options = dict(video.encoder)
    context = stream.codec_context
    context.time_base = video.tick
    if video.aspect:
        context.sample_aspect_ratio = video.aspect
    if video.matrix:
        context.colorspace = context.color_primaries = context.color_trc = video.matrix
    if video.full_range:
        context.color_range = 2
    if video.rotation:
        stream.set_display_rotation(video.rotation)
    return stream


def _pictures(stream: Any, video: Video) -> Iterator[Any]:
    for number, at in enumerate(video.shown_at):
        frame = av.VideoFrame.from_ndarray(picture(video, number), format="rgb24")
        matrix, range_ = video.matrix or 5, 2 if video.full_range else 1
        if not video.pixel_format.startswith(("rgb", "bgr", "gbr", "argb", "pal", "gray")):
            frame = frame.reformat(
                format=video.pixel_format,
                src_colorspace=matrix,
                dst_colorspace=matrix,
                src_color_range=2,
                dst_color_range=range_,
            )
        frame.pts, frame.time_base = round((video.starts + at) / video.tick), video.tick
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _sound_stream(film: Any, video: Video) -> Any:
    stream = film.add_stream(video.sound, rate=video.sound_rate)
    stream.layout = video.layout
    return stream


def _samples(stream: Any, video: Video, is_silent: bool) -> Iterator[Any]:
    rate, shown = video.sound_rate, video.shown_at
    length = round((shown[-1] + float(1 / video.rate) - video.sound_starts) * rate)
    wave = np.zeros(length, np.float32)
    t = np.arange(round(CLICK_SECONDS * rate)) / rate
    at = round((shown[video.flash] + CLICK_AFTER - video.sound_starts) * rate) - len(t) // 2
    if not is_silent:
        wave[at : at + len(t)] = 0.8 * np.sin(2 * np.pi * CLICK_HZ * t)
    channels = {"mono": 1, "stereo": 2, "5.1": 6}[video.layout]
    for begin in range(0, length, 1024):
        piece = np.ascontiguousarray(np.tile(wave[begin : begin + 1024], (channels, 1)))
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=video.layout)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = begin + round((video.starts + video.sound_starts) * rate)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _kept(packets: Iterator[Any], video: Video) -> Iterator[Any]:
    first, end = (video.starts + one for one in video.gap)
    return (one for one in packets if not first <= float(one.pts * one.time_base) < end)


def without_default_duration(data: bytes) -> bytes:
    """A Matroska file as browsers record it, without a frame rate: each DefaultDuration becomes a Void element."""
    at = data.find(b"\x23\xe3\x83\x84")
    while at >= 0:
        data = data[:at] + b"\xec\x86" + data[at + 2 :]
        at = data.find(b"\x23\xe3\x83\x84", at)
    return data
