"""The clips that decoders are measured on: the sandbox's clips with grain on them, as heavy as a real clip.

What the sandbox renders is smoother than what a model makes, so its files are light and quick to decode. Grain and a
bit rate of 5 Mbit/s at 720p (2 at 480p) bring them to the size of real ones. Key frames are 2 s apart.
"""

from __future__ import annotations

import importlib
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PROMPT = "First light over a quiet mountain lake, mist drifting between the ridges, slow push-in"
MEGABITS = {"480p": 2, "720p": 5}
GRAIN = 5.0


def clip(folder: Path, tier: str, seconds: int) -> Path:
    """The clip, made unless it is there."""
    made = folder / f"{tier}-{seconds}s.mp4"
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        smooth, part = folder / f"smooth-{made.name}", made.with_suffix(".part.mp4")
        _film(smooth, tier, seconds)
        _grain(smooth, part, MEGABITS[tier])
        smooth.unlink()
        part.rename(made)
    return made


def _film(path: Path, tier: str, seconds: int) -> None:
    sys.path.insert(0, str(ROOT))
    film = importlib.import_module("grok_imagine.sandbox.render.render")
    job = importlib.import_module("grok_imagine.sandbox.model").Job("text", PROMPT, seconds, tier, "16:9")
    film.render(job, [], path, lambda: False)


def _grain(source: Path, target: Path, megabits: int) -> None:
    chance = np.random.default_rng(1)
    with av.open(str(source)) as film, av.open(str(target), "w", options={"movflags": "+faststart"}) as made:
        sound: Any = film.streams.audio[0]
        video: Any = made.add_stream("libx264", rate=24)
        video.width, video.height = film.streams.video[0].width, film.streams.video[0].height
        video.pix_fmt, video.bit_rate, video.codec_context.gop_size = "yuv420p", megabits * 1_000_000, 48
        copy = made.add_stream_from_template(sound)
        for packet in film.demux():
            if packet.stream is sound:
                if packet.size:
                    packet.stream = copy
                    made.mux(packet)
                continue
            for frame in packet.decode():
                planes = frame.to_ndarray()
                luma = planes[: frame.height]
                grain = chance.standard_normal(luma.shape, np.float32) * GRAIN
                np.copyto(luma, np.clip(luma + grain, 16, 235).astype(np.uint8))
                new = av.VideoFrame.from_ndarray(planes, format="yuv420p")
                new.pts, new.time_base = frame.pts, Fraction(frame.time_base)
                new.colorspace, new.color_range = frame.colorspace, frame.color_range
                made.mux(video.encode(new))
        made.mux(video.encode())
