"""Prepares a local video for upload, as the source of an edit or an extension."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from av.video.frame import VideoFrame

from ...errors import DecodeError, EncodeError, MediaError
from ...models.blob import Blob
from ..frames.index import index_of_file
from ..images.image_format import MP4
from ..open import OpenVideo, file_duration, fraction, open_video, pixel_aspect
from ..orientation import Orientation
from ..probe import first_frame
from ..stop import ShouldStop
from .mp4_writer import CopyTrack, TooLarge, Track, Uncopyable, new_mp4, start_of, write
from .transcode import BEST_SOUND, AudioTrack, EncodeSettings, VideoTrack

MAX_BYTES = 50 * 1024 * 1024
COPIED_PICTURES, COPIED_SOUNDS = ("h264", "hevc"), ("aac",)

# In seconds. Audio may be longer than the video by its last block. A complete file may lack up to MISSING.
OVERHANG, MISSING = Fraction(1, 10), Fraction(1, 2)

# x264's rate factor. At FINEST no loss is visible; above COARSEST, half the frame size looks better. HALF more halves
# the file size. Source: "H.264 Video Encoding Guide" of the FFmpeg wiki.
FINEST, COARSEST, HALF = 16.0, 32.0, 6.0
# With fewer bits per pixel than this, the rate factor would exceed COARSEST anyway.
LEAST_BITS, LEAST_SIDE = 0.03, 32
LEAST_SOUND = 24_000
ATTEMPTS = 10


@dataclass(frozen=True)
class SourceVideo:
    """An MP4 for upload, and the length of its video stream in seconds."""

    blob: Blob
    seconds: float


def prepare_video(
    path: str | os.PathLike[str],
    *,
    max_bytes: int = MAX_BYTES,
    min_seconds: float | None = None,
    max_seconds: float | None = None,
    should_stop: ShouldStop | None = None,
) -> SourceVideo:
    """The video at ``path`` as an MP4 of at most ``max_bytes``, without metadata. Blocks: call it in a thread.

    H.264, HEVC and AAC are copied unchanged. Other codecs, and files that are too large, are encoded as H.264 and AAC;
    the frame size is halved only if there are too few bits for it. The same file gives the same bytes.

    Nothing is cut: raises MediaError if the video is longer or shorter than allowed. Raises DecodeError if the file is
    missing, empty, not a video, damaged or cut short, EncodeError if it cannot be made small enough, and DecodeStopped
    if ``should_stop()``, which is called before each packet, returns True.
    """
    file, limits = Path(path), _Limits(Path(path).name, min_seconds, max_seconds)
    facts = _examine(file)
    limits.check_longest(facts)
    with TemporaryDirectory(prefix="grok-imagine-") as folder:
        work = _PrepareRun(file, facts, Path(folder) / "video.mp4", max_bytes, should_stop)
        result = work.copy() or work.encode()
        if result.whole + MISSING < facts.expected:
            has, expected = float(result.whole), float(facts.expected)
            raise DecodeError(f"{file.name} is damaged or cut short: it has {has:.2f} s of {expected:.2f} s.")
        limits.check_longest(result)
        limits.check_shortest(result)
        return SourceVideo(Blob(work.target.read_bytes(), MP4), float(result.seconds))


@dataclass(frozen=True)
class _Facts:
    """Properties of a video file. Times are in seconds.

    ``seconds`` is the length of the video stream, ``whole`` that of the video and audio together, and ``expected`` the
    length by the header, 0 if unknown.
    """

    codecs: tuple[str, str | None]
    first: VideoFrame
    orientation: Orientation
    aspect: Fraction | None
    seconds: Fraction
    whole: Fraction
    expected: Fraction

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the stored frames in pixels."""
        return self.first.width, self.first.height


def _examine(file: Path, exactly: bool = False) -> _Facts:
    """Read the properties, from the header or, ``exactly``, from every packet: some headers state too short a time."""
    with open_video(file) as source:
        frame = first_frame(source)
        seconds, whole, expected = _lengths(source, file, exactly)
        audio = source.audio
        return _Facts(
            codecs=(source.video.codec_context.name, audio.codec_context.name if audio else None),
            first=frame,
            orientation=Orientation.from_frame(frame),
            aspect=pixel_aspect(source.video),
            seconds=seconds,
            whole=whole,
            expected=expected,
        )


def _lengths(source: OpenVideo, file: Path, exactly: bool) -> tuple[Fraction, Fraction, Fraction]:
    base, whole = fraction(source.video.time_base), file_duration(source)
    expected = source.video.duration * base if source.video.duration and base else Fraction(0)
    if not expected and len(source.container.streams) == (2 if source.audio else 1):
        expected = whole
    seconds = expected or whole
    if exactly or not seconds:
        # Opened again, since seeking to the beginning would skip packets before the first key frame.
        seconds = max(expected, Fraction(index_of_file(file).end).limit_denominator(1_000_000))
    return seconds, whole if whole > seconds + OVERHANG else seconds, expected


@dataclass(frozen=True)
class _Limits:
    name: str
    min_seconds: float | None
    max_seconds: float | None

    def check_longest(self, facts: _Facts) -> None:
        whole, seconds = _rounded(facts.whole), _rounded(facts.seconds)
        if self.max_seconds is not None and whole > self.max_seconds:
            video = f" (its video stream only {seconds:.2f} s)" if whole > seconds else ""
            command = f'ffmpeg -i "{self.name}" -t {self.max_seconds:g} trimmed.mp4'
            raise MediaError(
                f"{self.name} lasts {whole:.2f} s{video}, but at most {self.max_seconds:g} s are allowed. Trim it "
                f"first with ComfyUI's node Video Slice or with: {command}"
            )

    def check_shortest(self, facts: _Facts) -> None:
        seconds = _rounded(facts.seconds)
        if self.min_seconds is not None and seconds < self.min_seconds:
            raise MediaError(
                f"{self.name} lasts {seconds:.2f} s, but at least {self.min_seconds:g} s are needed. Use a longer clip."
            )


def _rounded(seconds: Fraction) -> float:
    """Rounded to hundredths, as displayed, since times in files are rounded too."""
    return round(float(seconds), 2)


@dataclass(frozen=True)
class _PrepareRun:
    """Converts one file to ``target``."""

    file: Path
    facts: _Facts
    target: Path
    max_bytes: int
    should_stop: ShouldStop | None

    def copy(self) -> _Facts | None:
        """Copy the video stream; None if that is impossible, too large, or loses the orientation or pixel aspect."""
        if self.facts.codecs[0] not in COPIED_PICTURES:
            return None
        try:
            self._make(None, copies_audio=True)
            result = _examine(self.target, exactly=True)
        # If the source is damaged, encoding it raises that error again.
        except (Uncopyable, TooLarge, DecodeError):
            return None
        facts = self.facts
        same = (result.orientation, result.size, result.aspect) == (facts.orientation, facts.size, facts.aspect)
        return result if same and self.target.stat().st_size <= self.max_bytes else None

    def encode(self) -> _Facts:
        """Encode the video stream, with lower quality and then smaller frames, until it fits."""
        bits = self.max_bytes * 8 / max(float(self.facts.whole), 0.1)
        rate, copies_audio = index_of_file(self.file).rate, True
        sound_rate = max(LEAST_SOUND, min(BEST_SOUND, int(bits / 8)))
        plan = EncodeSettings(self._size_for(bits, rate), FINEST, sound_rate, rate)
        for _ in range(ATTEMPTS):
            try:
                self._make(plan, copies_audio)
                size = self.target.stat().st_size
                if size <= self.max_bytes:
                    return _examine(self.target, exactly=True)
                excess = size / self.max_bytes
            except TooLarge as error:
                excess = float(self.facts.whole / max(error.at, Fraction(1, 10)))
            except Uncopyable as error:
                if not copies_audio:
                    raise EncodeError(f"{self.file.name} cannot be written as an MP4: {error}.") from error
                excess = 0
            copies_audio = False
            if excess:
                plan = _coarser(plan, max(excess, 1.05))
        raise EncodeError(f"{self.file.name} cannot be made to fit into {self.max_bytes / 1e6:.2f} MB. Trim it first.")

    def _size_for(self, bits: float, rate: Fraction) -> tuple[int, int]:
        """The largest frame size (the full one, half of it, ...) for which ``bits`` per second suffice."""
        size = self.facts.size
        while _can_halve(size) and bits < LEAST_BITS * size[0] * size[1] * rate:
            size = _halved(size)
        return max(2, size[0]), max(2, size[1])

    def _make(self, plan: EncodeSettings | None, copies_audio: bool) -> None:
        with open_video(self.file) as source, new_mp4(self.target) as output:
            start, audio, tracks = start_of(source), source.audio, dict[int, Track]()
            tracks[source.video.index] = (
                VideoTrack(output, source, self.facts.first, plan, start)
                if plan
                else CopyTrack(output, source.video, start)
            )
            if audio and copies_audio and self.facts.codecs[1] in COPIED_SOUNDS:
                tracks[audio.index] = CopyTrack(output, audio, start)
            elif audio:
                tracks[audio.index] = AudioTrack(output, source, audio, plan.sound_rate if plan else BEST_SOUND, start)
            write(source, output, tracks, self.max_bytes, self.should_stop)


def _can_halve(size: tuple[int, int]) -> bool:
    return min(size) >= 2 * LEAST_SIDE


def _halved(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] // 2, size[1] // 2


def _coarser(plan: EncodeSettings, excess: float) -> EncodeSettings:
    """The next settings, after a file that was ``excess`` times too large."""
    size, factor = plan.size, plan.rate_factor + HALF * math.log2(excess * 1.02)
    while factor > COARSEST and _can_halve(size):
        # A quarter of the pixels needs a little more than a quarter of the bits.
        size, factor = _halved(size), max(FINEST, factor - 1.5 * HALF)
    return replace(plan, size=size, rate_factor=min(factor, 51.0))
