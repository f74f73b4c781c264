"""The rows of the corpus: what is written, and what must come out."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from .generate import Video, without_default_duration

MS = Fraction(1, 1000)
NTSC, NTSC_FILM = Fraction(30000, 1001), Fraction(24000, 1001)


@dataclass(frozen=True)
class Row:
    """One file. ``command`` are arguments of FFmpeg's program that make it of ``video``; the last one is its name.

    ``rate`` is in frames per second; ``seconds`` is the duration, and by how many it and the times may be rounded is
    ``rounding``. ``step`` is by how many steps of 8 bits the patch's colour may be off.
    ``is_timed`` says whether each frame's time is in the file.
    """

    name: str
    video: Video
    rate: float
    seconds: float
    rounding: float = 0.0011
    step: float = 4
    size: tuple[int, int] = (64, 48)
    command: tuple[str, ...] = ()
    is_timed: bool = True
    frames: int = field(init=False)
    shown: list[float] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shown", self.video.shown_at)
        object.__setattr__(self, "frames", len(self.shown))


def _browser(frames: int, seconds: float) -> tuple[float, ...]:
    """Times as a browser records them: whole milliseconds, uneven."""
    generator = random.Random(1)
    return tuple(
        round(number * seconds / frames + (generator.random() - 0.5) * 0.02, 3) if number else 0.0
        for number in range(frames)
    )


def _row(name: str, fps: float, seconds: float, /, **what: Any) -> Row:
    own = {key: what.pop(key) for key in ("rounding", "step", "size", "command", "is_timed") if key in what}
    if own.get("size") and "stored" not in what:
        what["size"] = own["size"]
    what["size"] = what.pop("stored", what.get("size", (64, 48)))
    own["size"] = own.get("size", what["size"])
    extension = what.pop("extension", "mp4")
    return Row(name, Video(f"video.{extension}", **what), fps, seconds, **own)


BROWSER = {"codec": "libvpx", "times": _browser(90, 3.12), "base": MS, "change": without_default_duration}
PS: dict[str, Any] = {"is_timed": False, "codec": "mpeg2video", "rate": Fraction(25), "sound": "mp2"}
LOSSLESS = {"extension": "mkv", "codec": "ffv1", "sound": "pcm_s16le"}
STEPS = tuple(number / 24 + number // 10 * 0.2 for number in range(48))

RATES = [
    _row("mp4", 24, 2),
    _row("mp4 without B-frames", 24, 2, encoder={"bf": "0"}),
    _row("mp4 of 23.976", 23.976, 2.002, rate=NTSC_FILM),
    _row("mp4 of 29.97", 29.97, 1.6016, rate=NTSC),
    _row("mp4 of 480", 480, 0.2, rate=Fraction(480), frames=96),
    _row("mp4 of 1000", 1000, 0.096, rate=Fraction(1000), frames=96),
    _row("mp4 of 2", 2, 4, rate=Fraction(2), frames=8, flash=4),
    _row("mp4 of a phone", 17.143, 2.8, times=STEPS, base=Fraction(1, 90000), encoder={"bf": "0"}),
    _row("mkv", 24, 1.999, extension="mkv"),
    _row("mkv of 29.97", 29.97, 1.601, extension="mkv", rate=NTSC),
    _row("mkv of 59.94", 59.94, 0.8, extension="mkv", rate=2 * NTSC),
    _row("mkv of 480", 480, 0.2, extension="mkv", rate=Fraction(480), frames=96),
    _row("mkv without a rate", 24, 2, extension="mkv", change=without_default_duration),
    _row("webm of vp9", 24, 2, extension="webm", codec="libvpx-vp9"),
    _row("webm without a rate", 24, 2, extension="webm", codec="libvpx", change=without_default_duration),
    _row("webm of a browser", 28.887, 3.1156, rounding=0.04, extension="webm", frames=90, flash=60, **BROWSER),
    _row(
        "webm of a browser, live, with sound",
        28.887,
        3.1156,
        rounding=0.04,
        extension="webm",
        frames=90,
        flash=60,
        sound="libopus",
        container={"live": "1"},
        **BROWSER,
    ),
    _row("mov of mjpeg", 24, 2, extension="mov", codec="mjpeg", pixel_format="yuvj420p", full_range=True),
    _row("flv", 24, 2, rounding=0.002, extension="flv", codec="flv"),
    _row("flv of 59.94", 59.94, 0.8, rounding=0.002, extension="flv", codec="flv", rate=2 * NTSC),
    _row("avi", 24, 2, extension="avi", codec="mpeg4"),
    _row("ts of 29.97", 29.97, 1.6016, extension="ts", rate=NTSC),
    _row("ts of 50", 50, 0.96, extension="ts", rate=Fraction(50)),
]
SOUND = [
    _row("mp4 with aac", 24, 2, sound="aac"),
    _row("mp4 with mp3", 24, 2, sound="libmp3lame"),
    _row("mp4 with late sound", 24, 2, sound="aac", sound_starts=0.5),
    _row("mp4 with a hole", 24, 2, sound="aac", gap=(0.2, 1.2)),
    _row("mp4 with a hole of one packet", 24, 2, sound="aac", gap=(0.5, 0.521)),
    _row("mkv with a hole", 24, 2, extension="mkv", sound="aac", gap=(0.2, 1.2)),
    _row("ts with a hole", 24, 2, extension="ts", sound="aac", gap=(0.2, 1.2)),
    _row("webm with a hole", 24, 2, extension="webm", codec="libvpx", sound="libopus", gap=(0.2, 1.2)),
    _row("mp4 with a hole in silence", 24, 2, sound="aac", gap=(1.0, 1.9), flash=20),
    _row("fragments", 24, 2, sound="aac", container={"movflags": "frag_keyframe+empty_moov"}),
    _row(
        "fragments with a hole", 24, 2, sound="aac", gap=(0.2, 1.2), container={"movflags": "frag_keyframe+empty_moov"}
    ),
    _row("mp4 without an edit list", 24, 2, sound="aac", container={"use_editlist": "0"}),
    _row("mp4 that starts at 1.5 s", 24, 2, sound="aac", starts=1.5),
    _row("mkv that starts at 1.5 s", 24, 2, extension="mkv", sound="aac", starts=1.5),
    _row("ts that starts at 1.5 s", 24, 2, extension="ts", sound="aac", starts=1.5),
    _row("mkv with opus", 24, 2, extension="mkv", sound="libopus"),
    _row("mkv with flac", 24, 2, extension="mkv", sound="flac"),
    _row("mkv with six channels", 24, 2, extension="mkv", sound="ac3", layout="5.1"),
    _row("mkv whose second track is the default", 24, 2, extension="mkv", sound="aac", silent_track_first=True),
    _row("mp4 whose second track is the default", 24, 2, sound="aac", silent_track_first=True),
    _row("mkv of 44.1 kHz mono", 24, 2, extension="mkv", sound="aac", sound_rate=44100, layout="mono"),
    _row("avi with pcm", 24, 2, extension="avi", codec="mpeg4", sound="pcm_s16le"),
    _row("avi with pcm_u8", 24, 2, extension="avi", codec="mpeg4", sound="pcm_u8"),
    _row("avi with adpcm", 24, 2, extension="avi", codec="mpeg4", sound="adpcm_ms"),
    _row("flv with mp3", 24, 2, rounding=0.002, extension="flv", codec="flv", sound="libmp3lame", sound_rate=44100),
    _row("ps", 25, 1.92, extension="mpg", **PS),
    _row("ps with B-frames", 25, 1.92, extension="vob", encoder={"bf": "2"}, **PS),
    _row("a phone with sound", 17.143, 2.8, times=STEPS, base=Fraction(1, 90000), encoder={"bf": "0"}, sound="aac"),
]
PICTURES = [
    _row("mp4 of 4:4:4", 24, 2, pixel_format="yuv444p"),
    _row("mp4 of 4:2:2", 24, 2, pixel_format="yuv422p"),
    _row("mp4 of 10 bits", 24, 2, pixel_format="yuv420p10le"),
    _row("mp4 of bt709", 24, 2, matrix=1),
    _row("mp4 of full range", 24, 2, pixel_format="yuvj420p", full_range=True),
    _row("mp4 of odd sides", 24, 2, size=(51, 37), pixel_format="yuv444p"),
    _row("mov of prores", 24, 2, extension="mov", codec="prores_ks", pixel_format="yuv422p10le"),
    _row("mkv of ffv1", 24, 2, extension="mkv", codec="ffv1"),
    _row("mov of animation", 24, 2, extension="mov", codec="qtrle", pixel_format="rgb24"),
    _row("wmv", 24, 2, extension="wmv", codec="wmv2"),
    _row("apng", 24, 2, extension="apng", codec="apng", pixel_format="rgb24"),
    _row("gif", 25, 1.92, extension="gif", codec="gif", pixel_format="rgb8", rate=Fraction(25), step=40),
    _row("mp4 with wide pixels", 24, 2, aspect=Fraction(4, 3)),
]
PROGRAM = [
    _row(
        "ffmpeg: ps",
        24,
        2,
        **LOSSLESS,
        is_timed=False,
        command=("-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2", "x.mpg"),
    ),
    _row("ffmpeg: theora", 24, 2, **LOSSLESS, command=("-c:v", "libtheora", "-q:v", "9", "-c:a", "libvorbis", "x.ogv")),
    _row(
        "ffmpeg: fragments",
        24,
        2,
        **LOSSLESS,
        command=("-c:a", "aac", "-movflags", "frag_keyframe+empty_moov", "x.mp4"),
    ),
    _row("ffmpeg: no edit list", 24, 2, **LOSSLESS, command=("-c:a", "aac", "-use_editlist", "0", "x.mp4")),
]
ROWS = [*RATES, *SOUND, *PICTURES, *PROGRAM]
