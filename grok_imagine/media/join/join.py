"""Joins clips into one video without visible seams: drops repeated frames, matches colors and loudness, fades audio."""

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
"""x264's, without visible loss. See source_video.py."""
LONGEST_FADE = Fraction(1, 4)
"""In seconds. A cross-fade is limited to what the later clip repeats of the earlier one: 1/24 s for one frame."""

OnProgress = Callable[[int], None]


@dataclass(frozen=True)
class Part:
    """A clip to join. Its first ``skip`` frames repeat the end of the previous clip and are dropped.

    ``is_cut``: it is another shot, whose colors are kept however similar the two look.
    """

    path: Path
    skip: int = 0
    is_cut: bool = False


@dataclass(frozen=True)
class Seam:
    """Where a clip begins, in frames of the joined video, how its colors differed there, and how they were corrected.

    ``delta_e`` is the color difference that is left where a clip repeats the one before, ``delta_e_before`` that of the
    clips themselves; None at a cut. ``loudness_step`` is in LU; None at a cut, or if either side is silent.
    """

    frame: int
    match: ColorMatch
    fade_seconds: float
    delta_e: float | None = None
    delta_e_before: float | None = None
    loudness_step: float | None = None


@dataclass(frozen=True)
class Joined:
    """The joined video's number of frames, format and seams."""

    frames: int
    shape: VideoFormat
    seams: tuple[Seam, ...]

    @property
    def seconds(self) -> float:
        """The length in seconds."""
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
    """Join ``parts`` into the MP4 ``target`` (H.264 and AAC), in the size and rate of the first, with its metadata.

    Blocks: call it in a thread. Keeps one frame and the audio of two clips in memory. Each clip is decoded and encoded
    once, since H.264 of different encoders cannot share a track, and the dropped first frame is the key frame that all
    others refer to. The same clips give the same bytes. ``on_frame(count)`` is called after each frame.

    Raises DecodeError for a clip that cannot be read or has no frame after its ``skip``, and DecodeStopped.
    """
    shape = read_format(parts[0].path)
    rate = next((rate for part in parts if (rate := sound_rate(part.path))), None)
    with new_mp4(target, {**KEEPS_METADATA, "max_interleave_delta": "0"}) as output:
        output.metadata.update(read_all(parts[0].path))
        work = _JoinRun(output, shape, rate, on_frame, should_stop)
        for part in parts:
            work.add(part)
        work.finish()
    seams = [
        seam if seam.delta_e is None else replace(seam, loudness_step=loudness_step(target, seam.frame / shape.rate))
        for seam in work.seams
    ]
    return Joined(work.frames, shape, tuple(seams))


class _JoinRun:
    """Writes one joined video."""

    def __init__(
        self,
        output: OutputContainer,
        shape: VideoFormat,
        sound_rate: int | None,
        on_frame: OnProgress | None,
        should_stop: ShouldStop | None,
    ) -> None:
        self._output, self._shape = output, shape
        self._on_frame, self._should_stop = on_frame, should_stop
        self._video = _video(output, shape)
        self._sound = SoundLine(output, sound_rate) if sound_rate else None
        self._ending: Ending | None = None
        self.frames = 0
        self.seams: list[Seam] = []

    def add(self, part: Part) -> None:
        """Append one clip: its frames, which determine its length, then its audio."""
        before = self.frames
        for picture in self._match_colors(part, pictures(part.path, self._shape)):
            check_stop(self._should_stop)
            self._write(picture)
        if self.frames == before:
            raise DecodeError(f"{part.path.name} has no frame after its first {part.skip}.")
        if self._sound is None:
            return
        faded = self._sound.add(part, self._moment(before), self._moment(self.frames), float(self._shape.rate))
        if before:
            self.seams[-1] = replace(self.seams[-1], fade_seconds=faded)

    def finish(self) -> None:
        """Write the remaining packets of the encoders."""
        self._output.mux(self._video.encode())
        if self._sound is not None:
            self._sound.finish()

    def _moment(self, frames: int) -> int:
        """The time of a frame, in audio samples."""
        return round(frames / self._shape.rate * (self._sound.rate if self._sound else 0))

    def _match_colors(self, part: Part, frames: Iterator[Packed]) -> Iterator[Packed]:
        """The frames after the skipped ones, with their colors matched to the previous clip's."""
        change: ColorMatch | None = None
        repeated: Packed | None = None
        before = self._ending
        for number, picture in enumerate(frames):
            if number < part.skip:
                repeated = picture
                continue
            if change is None:
                # The last repeated frame equals the last one written; without one, use the next frame.
                reference = picture if repeated is None else repeated
                change = match(None if part.is_cut else before, reference, is_repeated=repeated is not None)
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
        self._output.mux(self._video.encode(frame))
        self.frames += 1
        if self._on_frame is not None:
            self._on_frame(self.frames)


class SoundLine:
    """The audio track. Holds back the samples that may be cross-faded with the next clip."""

    def __init__(self, output: OutputContainer, rate: int) -> None:
        self.rate = rate
        self._output = output
        self._encoder = AacEncoder(output, rate, "stereo", BEST_SOUND)
        self._held: NDArray[np.float32] = np.zeros((2, 0), np.float32)

    def add(self, part: Part, begin: int, end: int, frame_rate: float) -> float:
        """Append a clip's audio from ``begin`` to ``end``, in samples. Returns the cross-fade's length in seconds."""
        skipped = round(part.skip / frame_rate * self.rate)
        whole = _pad(sound(part.path, self.rate), skipped + end - begin)
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
        """Write the remaining audio."""
        self._write(self._held)
        for packet in self._encoder.finish():
            self._output.mux_one(packet)

    def _write(self, samples: NDArray[np.float32]) -> None:
        for packet in self._encoder.encode(samples):
            self._output.mux_one(packet)


def _pad(samples: NDArray[np.float32] | None, length: int) -> NDArray[np.float32]:
    """The samples, cut or padded with silence to ``length``."""
    padded = np.zeros((2, length), np.float32)
    if samples is not None:
        known = min(length, samples.shape[1])
        padded[:, :known] = samples[:, :known]
    return padded


def _video(output: OutputContainer, shape: VideoFormat) -> Any:
    stream: Any = add_h264(output, shape.rate)
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
