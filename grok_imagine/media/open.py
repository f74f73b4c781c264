"""Opening a video file safely: only real video formats, only this one file, and errors a user understands."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from ..errors import DecodeError

# FFmpeg reads pictures, texts and playlists as videos too, and a playlist makes it open other files and addresses.
# A file from the internet must do neither. Source: "Format options" of the ffmpeg-formats manual.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpegts,mpeg,flv,ogg"
SAFE = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}

# FFmpeg decodes the first pictures of a film on opening, to learn about it, on one core: most of what opening takes,
# and an eighth of the way to the last frame. This leaves it out. PyAV hands these options to every stream.
UNSEEN = {"options": {"skip_frame": "all"}}

# PyAV 17 crashes the process when streams are given options.
_CRASHES_ON_OPTIONS = 17

# A higher rate in a header is a time base in disguise (90000), no frame rate.
HIGHEST_RATE = 240

# 16K, the largest that any codec here is made for, is 15360 × 8640.
MOST_PIXELS = 16384 * 8704


@dataclass(frozen=True)
class OpenVideo:
    """An open file with its picture and, if it has one, its sound."""

    name: str
    file_bytes: int
    container: InputContainer
    video: VideoStream
    audio: AudioStream | None


@contextmanager
def open_video(path: str | os.PathLike[str], *, is_quick: bool = False) -> Generator[OpenVideo, None, None]:
    """Opens the video file at ``path`` and closes it in the end.

    With ``is_quick`` FFmpeg looks at no picture beforehand where the header tells what a decoder must know; the
    stream does not name its pixel format then.

    Raises DecodeError if the file is missing, empty, no video, or has no picture that can be decoded. An error of
    FFmpeg within the block becomes a DecodeError too.
    """
    file = Path(path)
    try:
        size = _size(file)
        with closing(_quickly_opened(file) if is_quick else open_container(file)) as container:
            audio = next((stream for stream in container.streams.audio if _decoder(stream)), None)
            video = _video(container, file.name)
            try:
                yield OpenVideo(file.name, size, container, video, audio)
            finally:
                _stop_decoder(video)
    except FFmpegError as error:
        reason = error.strerror or type(error).__name__
        raise DecodeError(
            f"{file.name} cannot be read as a video ({reason}). It may be damaged, cut short, or another kind of file."
        ) from error


def _stop_decoder(video: VideoStream) -> None:
    """Waits, without Python's lock, until none of the decoder's threads is at work.

    Freeing a decoder waits for them too, but holds the lock. Where PyAV logs, which torchvision switches on for the
    whole process, a thread that has something to say waits for that lock, and neither would ever go on.
    """
    video.codec_context.flush_buffers()


def refuse_absurd(source: OpenVideo) -> None:
    """Raises DecodeError for a picture that is larger than any video, before a frame of it is made room for."""
    context = source.video.codec_context
    width, height = context.width or 0, context.height or 0
    if width * height > MOST_PIXELS:
        raise DecodeError(
            f"{source.name} claims to be {width} × {height} pixels large, more than any video. It is damaged or made "
            "to do harm, and was not decoded."
        )
    # A frame may claim more than the header did.
    cast(Any, context).options = {"max_pixels": str(MOST_PIXELS)}


def open_container(file: Path, **options: Any) -> InputContainer:
    """PyAV's container of a file, by the safe options and ``options`` of PyAV's own. Raises what PyAV raises."""
    # A title in another encoding than UTF-8 must not keep the film from being read. Version 19 sees to it by itself.
    tolerant = {"metadata_errors": "replace"} if pyav_version() < 19 else {}
    given = {**tolerant, **options, "container_options": dict(SAFE)}
    return cast(InputContainer, cast(Any, av.open)(os.path.abspath(file), **given))


def _quickly_opened(file: Path) -> InputContainer:
    # PyAV takes options of streams only where they are known by the header.
    if not _is_mp4(file) or pyav_version() == _CRASHES_ON_OPTIONS:
        return open_container(file)
    container = open_container(file, **UNSEEN)
    if all(_is_told_by_header(stream) for stream in container.streams.video):
        return container
    container.close()
    return open_container(file)


def _is_mp4(file: Path) -> bool:
    try:
        with file.open("rb") as beginning:
            return beginning.read(8)[4:] == b"ftyp"
    except OSError:
        return False  # what opens it next tells why


def _is_told_by_header(stream: VideoStream) -> bool:
    """Whether nothing has to be guessed from pictures: size, and how far H.264 shows frames out of order.

    That last is only known to be told where there is something to tell; else a decoder may give out its first frames
    in the wrong order.
    """
    context: Any = stream.codec_context
    if context is None or context.name != "h264":
        return False
    return bool(getattr(context, "has_b_frames", False) and context.width and context.height)


def _size(file: Path) -> int:
    if not file.is_file():
        raise DecodeError(f"There is no file {file.name}.")
    try:
        size = file.stat().st_size
    except OSError as error:
        raise DecodeError(f"{file.name} cannot be read: {error.strerror}.") from error
    if size == 0:
        raise DecodeError(f"{file.name} is empty (0 bytes). Download it again.")
    return size


def _video(container: InputContainer, name: str) -> VideoStream:
    films = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not films:
        has = "sound, but no video" if container.streams.audio else "no video"
        raise DecodeError(f"{name} holds {has}.")
    for film in films:
        if _decoder(film):
            return film
    raise DecodeError(f"{name} holds a video in a codec that this FFmpeg cannot decode.")


def _decoder(stream: VideoStream | AudioStream) -> bool:
    # The stubs do not say so, but PyAV leaves the context out where FFmpeg has no decoder.
    context: Any = stream.codec_context
    return context is not None


def pyav_version() -> int:
    """The major version of PyAV, whose interface this room smooths out from 14 to 19."""
    return int(av.__version__.split(".")[0])


def fraction(value: Any) -> Fraction | None:
    """A rational number of PyAV as a Fraction; None if it is not set or not positive.

    Up to version 18 PyAV gives a Fraction or None, from 19 on its own type, in which 0 means not set.
    """
    if not value:
        return None
    exact = Fraction(int(value.numerator), int(value.denominator))
    return exact if exact > 0 else None


def frame_rate(video: VideoStream) -> Fraction | None:
    """Frames per second by the header: the average, else FFmpeg's guess; None if there is neither."""
    return fraction(video.average_rate) or fraction(video.guessed_rate)


def stream_duration(source: OpenVideo) -> Fraction | None:
    """The length of the picture in seconds by the header, else of the whole file; None if neither is known."""
    base = fraction(source.video.time_base)
    if source.video.duration and base:
        return source.video.duration * base
    length = source.container.duration
    return Fraction(length, av.time_base) if length and length > 0 else None


def promised_frames(source: OpenVideo) -> tuple[int, bool]:
    """How many frames the header promises, and whether it names the number; else it is duration times rate."""
    if source.video.frames > 0:
        return source.video.frames, True
    duration, rate = stream_duration(source), frame_rate(source.video)
    if duration and rate:
        return max(1, round(duration * min(rate, HIGHEST_RATE))), False
    return 1, False
