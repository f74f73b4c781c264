"""A local clip made fit to be uploaded, as the source of an edit or an extension."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
from av.video.frame import VideoFrame

from ..errors import DecodeError, EncodeError, MediaError
from ..models.blob import Blob
from .decode import ShouldStop
from .film import Copy, TooLarge, Track, Uncopyable, new_film, start_of, write
from .kinds import MP4
from .opening import OpenVideo, fraction, frame_rate, open_video
from .orientation import Orientation
from .probe import first_frame
from .transcode import BEST_SOUND, USUAL_RATE, Picture, Plan, Sound

MAX_BYTES = 50 * 1024 * 1024
COPIED_PICTURES, COPIED_SOUNDS = ("h264", "hevc"), ("aac",)

# By its last block, sound lasts a little longer than its picture. Less than that is missing in a file that is whole.
OVERHANG, MISSING = Fraction(1, 10), Fraction(1, 2)

# Below so many bits for each pixel, H.264 looks better at half the size.
LEAST_BITS, LEAST_SIDE = 0.03, 32
LEAST_RATE, ATTEMPTS = 10_000, 8


@dataclass(frozen=True)
class SourceVideo:
    """An MP4 for upload, and the length of its picture in seconds."""

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
    """The video file at ``path`` as an MP4 of at most ``max_bytes``, without any metadata. Blocks: call it in a thread.

    H.264, HEVC and AAC are copied, to the last bit; everything else, and what is too large, becomes H.264 and AAC.
    The picture is halved only if there are too few bits for it. The same file gives the same bytes.

    Nothing is ever cut off: MediaError says that the clip is too long or too short. Raises DecodeError if the file is
    missing, empty, no video, damaged or cut short, EncodeError if it cannot be made so small, and DecodeStopped when
    ``should_stop()`` says so; it is asked before each packet.
    """
    file, limits = Path(path), _Limits(Path(path).name, min_seconds, max_seconds)
    facts = _examine(file)
    limits.check(facts)
    with TemporaryDirectory(prefix="grok-imagine-") as folder:
        work = _Work(file, facts, Path(folder) / "film.mp4", max_bytes, should_stop)
        result = work.copied() or work.encoded()
        if result.whole + MISSING < facts.promised:
            has, promised = float(result.whole), float(facts.promised)
            raise DecodeError(f"{file.name} is damaged or cut short: it has {has:.2f} s of {promised:.2f} s.")
        limits.check(result)
        return SourceVideo(Blob(work.target.read_bytes(), MP4), float(result.seconds))


@dataclass(frozen=True)
class _Facts:
    """What the plan depends on. Times are in seconds.

    ``seconds`` is the length of the picture, ``whole`` that of picture and sound, and ``promised`` what must come out
    if nothing is lost; 0 if that is not known.
    """

    codecs: tuple[str, str | None]
    first: VideoFrame
    orientation: Orientation
    rate: Fraction
    seconds: Fraction
    whole: Fraction
    promised: Fraction

    @property
    def size(self) -> tuple[int, int]:
        """Of the stored picture."""
        return self.first.width, self.first.height


def _examine(file: Path) -> _Facts:
    with open_video(file) as source:
        frame = first_frame(source)
        seconds, whole, promised = _lengths(source, file)
        audio = source.audio
        return _Facts(
            codecs=(source.video.codec_context.name, audio.codec_context.name if audio else None),
            first=frame,
            orientation=Orientation.of(frame),
            rate=frame_rate(source.video) or USUAL_RATE,
            seconds=seconds,
            whole=whole,
            promised=promised,
        )


def _lengths(source: OpenVideo, file: Path) -> tuple[Fraction, Fraction, Fraction]:
    base, microseconds = fraction(source.video.time_base), source.container.duration
    whole = Fraction(microseconds, av.time_base) if microseconds and microseconds > 0 else None
    seconds = source.video.duration * base if source.video.duration and base else whole
    if seconds is None or seconds <= 0:
        measured = _measured(file)
        return measured, measured, Fraction(0)
    used = 2 if source.audio else 1
    promised = seconds if source.video.duration or len(source.container.streams) == used else Fraction(0)
    return seconds, whole if whole and whole > seconds + OVERHANG else seconds, promised


def _measured(file: Path) -> Fraction:
    """The length of a picture whose header does not tell it, as of a live recording."""
    # Opened anew: seeking back to the beginning would lose what comes before the first keyframe.
    with open_video(file) as source:
        usual, base = 1 / (frame_rate(source.video) or USUAL_RATE), fraction(source.video.time_base) or Fraction(0)
        packets = source.container.demux(source.video)
        times = [(each.pts, each.pts + (each.duration or 0)) for each in packets if each.pts is not None]
    if not times:
        return usual
    first, last, end = min(times)[0], max(times)[0], max(end for _, end in times)
    return (end - first) * base if end > last else (last - first) * base + usual


@dataclass(frozen=True)
class _Limits:
    name: str
    min_seconds: float | None
    max_seconds: float | None

    def check(self, facts: _Facts) -> None:
        # To the hundredth, which is what the user reads: times in a file are rounded, too.
        whole, seconds = round(float(facts.whole), 2), round(float(facts.seconds), 2)
        if self.max_seconds is not None and whole > self.max_seconds:
            sound = f" (its picture only {seconds:.2f} s)" if whole > seconds else ""
            raise MediaError(
                f"{self.name} lasts {whole:.2f} s{sound}, and at most {self.max_seconds:g} s are taken. Trim it first, "
                f'with ComfyUI\'s node Video Slice or with: ffmpeg -i "{self.name}" -t {self.max_seconds:g} trimmed.mp4'
            )
        if self.min_seconds is not None and seconds < self.min_seconds:
            raise MediaError(
                f"{self.name} lasts {seconds:.2f} s, and at least {self.min_seconds:g} s are needed. Use a longer clip."
            )


@dataclass(frozen=True)
class _Work:
    """One file on its way to ``target``."""

    file: Path
    facts: _Facts
    target: Path
    max_bytes: int
    should_stop: ShouldStop | None

    def copied(self) -> _Facts | None:
        """Copies the picture; None if that cannot be done, or is too large, or would not be upright any more."""
        if self.facts.codecs[0] not in COPIED_PICTURES:
            return None
        try:
            self._make(None, keeps_sound=True)
            result = _examine(self.target)
        # Should the source be damaged, then encoding it says so again.
        except (Uncopyable, TooLarge, DecodeError):
            return None
        same = (result.orientation, result.size) == (self.facts.orientation, self.facts.size)
        return result if same and self.target.stat().st_size <= self.max_bytes else None

    def encoded(self) -> _Facts:
        """Encodes the picture, with fewer bits each time, until it fits."""
        total = self.max_bytes * 8 * 0.95 / max(float(self.facts.whole), 0.1)
        for attempt in range(ATTEMPTS):
            try:
                self._make(self._plan(total), keeps_sound=attempt == 0)
                size = self.target.stat().st_size
                if size <= self.max_bytes:
                    return _examine(self.target)
                total *= min(0.85, 0.9 * self.max_bytes / size)
            except TooLarge:
                total *= 0.7
        raise EncodeError(f"{self.file.name} cannot be made to fit into {self.max_bytes / 1e6:.2f} MB. Trim it first.")

    def _plan(self, total: float) -> Plan:
        """``total`` is in bits per second."""
        sound_rate = max(LEAST_RATE, min(BEST_SOUND, int(total / 8))) if self.facts.codecs[1] else 0
        picture_rate = max(LEAST_RATE, int((total - sound_rate) * 0.9))
        width, height = self.facts.size
        while min(width, height) >= 2 * LEAST_SIDE and picture_rate < LEAST_BITS * width * height * self.facts.rate:
            width, height = width // 2, height // 2
        return Plan((max(2, width), max(2, height)), picture_rate, sound_rate)

    def _make(self, plan: Plan | None, keeps_sound: bool) -> None:
        with open_video(self.file) as source, new_film(self.target) as film:
            start, audio, tracks = start_of(source), source.audio, dict[int, Track]()
            tracks[source.video.index] = (
                Picture(film, source, self.facts.first, plan, start) if plan else Copy(film, source.video, start)
            )
            if audio and keeps_sound and self.facts.codecs[1] in COPIED_SOUNDS:
                tracks[audio.index] = Copy(film, audio, start)
            elif audio:
                tracks[audio.index] = Sound(film, audio, plan.sound_rate if plan else BEST_SOUND, start)
            write(source, film, tracks, self.max_bytes, self.should_stop)
