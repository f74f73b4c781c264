"""Parts become one film without visible seams: repeats dropped, colours and loudness matched, sound cross-faded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from ...errors import DecodeError
from ..frames.scale import LIMITED_RANGE
from ..mux.metadata import KEEPS_METADATA, read_all
from ..mux.mp4_writer import new_mp4
from ..mux.transcode import BEST_SOUND, THREADS, X264, AacEncoder, add_h264
from ..stop import ShouldStop, check_stop
from .color_match import ColorMatch, Ending, fade, match, match_loudness
from .seam_figures import WINDOW, delta_e, loudness_step
from .segments import Packed, VideoFormat, pictures, read_format, sound, sound_rate

RATE_FACTOR = 16
"""x264's: the eye sees no loss. See source_video.py."""
LONGEST_FADE = Fraction(1, 4)
"""In seconds. A fade needs what the later part repeats of the earlier one; of one repeated frame it is 1/24 s."""

OnProgress = Callable[[int], None]


@dataclass(frozen=True)
class Part:
    """A clip of the film. Its first ``skip`` frames repeat the end of the part before, and are left out.

    ``is_cut``: it is another shot, whose colours are left as they are however much the two look alike.
    """

    path: Path
    skip: int = 0
    is_cut: bool = False


@dataclass(frozen=True)
class Seam:
    """Where a part begins, in frames of the film; how its colours differed there, and what was done about it.

    ``delta_e`` is the colour difference that is left where a part repeats the one before, and ``delta_e_before`` that
    of the clips as they came; None at a cut. ``loudness_step`` is in LU; None at a cut or where either side is silent.
    """

    frame: int
    match: ColorMatch
    fade_seconds: float
    delta_e: float | None = None
    delta_e_before: float | None = None
    loudness_step: float | None = None


@dataclass(frozen=True)
class Joined:
    """The film in numbers, counted while it was written."""

    frames: int
    shape: VideoFormat
    seams: tuple[Seam, ...]

    @property
    def seconds(self) -> float:
        """The length."""
        return float(self.frames / self.shape.rate)

    @property
    def seams_as_json(self) -> list[dict[str, object]]:
        """The seams, for people and programs."""
        return [
            {
                "frame": seam.frame,
                "seconds": round(float(seam.frame / self.shape.rate), 3),
                "colours_matched": seam.match.is_needed,
                "fade_seconds": round(seam.fade_seconds, 4),
                "delta_e": _rounded(seam.delta_e),
                "delta_e_before": _rounded(seam.delta_e_before),
                "loudness_step_lu": _rounded(seam.loudness_step),
            }
            for seam in self.seams
        ]


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 2)


def join(
    parts: Sequence[Part],
    target: Path,
    *,
    on_frame: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Joined:
    """Write the film of ``parts`` to ``target``, an MP4 of H.264 and AAC, in the size and rate of the first.

    It has the metadata of the first part.

    Blocks: call it in a thread. Holds one picture and the sound of two parts at a time. Each part is decoded and
    encoded once: H.264 of different encoders cannot share a track as it is, and its first frame, which every other
    one builds on, is the one that must go. The same parts give the same bytes.

    Raises DecodeError for a part that cannot be read or that holds no frame after its ``skip``, and DecodeStopped.
    """
    shape = read_format(parts[0].path)
    rate = next((found for part in parts if (found := sound_rate(part.path))), None)
    with new_mp4(target, {**KEEPS_METADATA, "max_interleave_delta": "0"}) as film:
        film.metadata.update(read_all(parts[0].path))
        work = _JoinRun(film, shape, rate, on_frame, should_stop)
        for part in parts:
            work.add(part)
        work.finish()
    seams = [
        seam if seam.delta_e is None else replace(seam, loudness_step=loudness_step(target, seam.frame / shape.rate))
        for seam in work.seams
    ]
    return Joined(work.frames, shape, tuple(seams))


class _JoinRun:
    """A film on its way to the disk."""

    def __init__(
        self,
        film: OutputContainer,
        shape: VideoFormat,
        sound_rate: int | None,
        on_frame: OnProgress | None,
        should_stop: ShouldStop | None,
    ) -> None:
        self._film, self._shape = film, shape
        self._on_frame, self._should_stop = on_frame, should_stop
        self._video = _video(film, shape)
        self._sound = SoundLine(film, sound_rate) if sound_rate else None
        self._ending: Ending | None = None
        self.frames = 0
        self.seams: list[Seam] = []

    def add(self, part: Part) -> None:
        """All of one part, its pictures first: only they tell how long it is."""
        before = self.frames
        found = self._matched(part, pictures(part.path, self._shape))
        for picture in found:
            check_stop(self._should_stop)
            self._write(picture)
        if self.frames == before:
            raise DecodeError(f"{part.path.name} holds no frame after its first {part.skip}.")
        if self._sound is None:
            return
        faded = self._sound.add(part, self._moment(before), self._moment(self.frames), float(self._shape.rate))
        if before:
            self.seams[-1] = replace(self.seams[-1], fade_seconds=faded)

    def finish(self) -> None:
        """What the encoders hold back."""
        self._film.mux(self._video.encode())
        if self._sound is not None:
            self._sound.finish()

    def _moment(self, frames: int) -> int:
        """A time in samples of sound."""
        return round(frames / self._shape.rate * (self._sound.rate if self._sound else 0))

    def _matched(self, part: Part, found: Iterator[Packed]) -> Iterator[Packed]:
        """The pictures after the skipped ones, their colours matched where this part meets the one before."""
        change: ColorMatch | None = None
        repeated: Packed | None = None
        before = self._ending
        for number, picture in enumerate(found):
            if number < part.skip:
                repeated = picture
                continue
            if change is None:
                # The last repeated frame and the film's last one show the same; else two neighbours nearly do.
                meets = picture if repeated is None else repeated
                change = match(None if part.is_cut else before, meets, is_repeated=repeated is not None)
                if before is not None:
                    self.seams.append(self._seam(before, repeated, change))
            shown = change.apply(picture, number - part.skip)
            self._ending = Ending(picture, shown, change)
            yield shown

    def _seam(self, before: Ending, repeated: Packed | None, change: ColorMatch) -> Seam:
        """The seam that begins with the next frame. Its colours can be compared where a frame is repeated."""
        if repeated is None:
            return Seam(self.frames, change, 0.0)
        matrix = self._shape.color.matrix
        left = delta_e(before.shown, change.apply(repeated, 0), matrix)
        return Seam(self.frames, change, 0.0, left, delta_e(before.raw, repeated, matrix))

    def _write(self, picture: Packed) -> None:
        frame = VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = self.frames, 1 / self._shape.rate
        self._film.mux(self._video.encode(frame))
        self.frames += 1
        if self._on_frame is not None:
            self._on_frame(self.frames)


class SoundLine:
    """The film's track of sound. What could still be faded into the next part is held back."""

    def __init__(self, film: OutputContainer, rate: int) -> None:
        self.rate = rate
        self._film = film
        self._encoder = AacEncoder(film, rate, "stereo", BEST_SOUND)
        self._held: NDArray[np.float32] = np.zeros((2, 0), np.float32)

    def add(self, part: Part, begin: int, end: int, frame_rate: float) -> float:
        """The sound of a part that the film shows from ``begin`` to ``end``, in samples. Gives the fade's seconds."""
        found = sound(part.path, self.rate)
        skipped = round(part.skip / frame_rate * self.rate)
        whole = _padded(found, skipped + end - begin)
        if not part.is_cut:
            match_loudness(self._held, whole, skipped, self.rate)
        length = min(self._held.shape[1], skipped, round(LONGEST_FADE * self.rate))
        if length:
            self._held[:, -length:] = fade(self._held[:, -length:], whole[:, skipped - length : skipped])
        line = np.concatenate([self._held, whole[:, skipped:]], axis=1)
        keep = min(line.shape[1], round(max(LONGEST_FADE, WINDOW) * self.rate))
        self._write(line[:, : line.shape[1] - keep])
        self._held = line[:, line.shape[1] - keep :].copy()
        return length / self.rate

    def finish(self) -> None:
        """All that is held back."""
        self._write(self._held)
        for packet in self._encoder.finish():
            self._film.mux_one(packet)

    def _write(self, samples: NDArray[np.float32]) -> None:
        for packet in self._encoder.encode(samples):
            self._film.mux_one(packet)


def _padded(samples: NDArray[np.float32] | None, length: int) -> NDArray[np.float32]:
    """Cut, or filled up with silence, to ``length``."""
    made = np.zeros((2, length), np.float32)
    if samples is not None:
        known = min(length, samples.shape[1])
        made[:, :known] = samples[:, :known]
    return made


def _video(film: OutputContainer, shape: VideoFormat) -> Any:
    stream: Any = add_h264(film, shape.rate)
    stream.width, stream.height, stream.pix_fmt = shape.width, shape.height, "yuv420p"
    context = stream.codec_context
    context.time_base = 1 / shape.rate
    context.thread_type, context.thread_count = "FRAME", THREADS
    context.color_range = LIMITED_RANGE
    context.colorspace, context.color_primaries = shape.color.space, shape.color.primaries
    context.color_trc = shape.color.transfer
    if shape.aspect:
        context.sample_aspect_ratio = shape.aspect
    stream.options = {**X264, "crf": f"{RATE_FACTOR}"}
    return stream
