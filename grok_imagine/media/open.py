"""Opens a video file safely: only video formats, only this file, and with clear error messages."""

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
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from ..errors import DecodeError

# FFmpeg also reads images, texts and playlists as videos, and a playlist makes it open other files and URLs. A file
# from the internet must not do that. Source: "Format options" of the ffmpeg-formats manual.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,apng,mpegts,mpeg,flv,ogg,asf"
SAFE_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}

# On opening, FFmpeg decodes the first frames on one core to detect parameters: most of the time that opening takes.
# This option skips it. PyAV passes it to every stream.
SKIP_PROBING = {"skip_frame": "all"}

# The first bytes of containers whose header lists all streams: Matroska and WebM, AVI. MP4 and MOV have a box first.
_LISTING_MAGIC = (b"\x1aE\xdf\xa3", b"RIFF")
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")

# A higher rate in a header may be a time base (such as 1000 in a browser's WebM) and not a frame rate.
MAX_RATE = 240

# 16K, the largest that any codec here is made for, is 15360 × 8640.
MAX_PIXELS = 16384 * 8704


@dataclass(frozen=True)
class OpenVideo:
    """An open file with its video stream and, if it has one, its audio stream."""

    name: str
    file_bytes: int
    container: InputContainer
    video: VideoStream
    audio: AudioStream | None


@contextmanager
def open_video(path: str | os.PathLike[str], *, is_quick: bool = False) -> Generator[OpenVideo, None, None]:
    """Open the video file at ``path``, and close it when the block ends.

    With ``is_quick`` FFmpeg decodes no frame beforehand if the header suffices; the stream's pixel format is then
    unknown.

    Raises DecodeError if the file is missing, empty, not a video, or has no video stream that can be decoded. An error
    of FFmpeg within the block becomes a DecodeError too.
    """
    file = Path(path)
    try:
        size = _file_size(file)
        with closing(_open_quickly(file) if is_quick else open_container(file)) as container:
            audio = _find_audio(container)
            video = _find_video(container, file.name)
            _check_picture_size(video, file)
            try:
                yield OpenVideo(file.name, size, container, video, audio)
            finally:
                _stop_decoder(video)
    except FFmpegError as error:
        if _is_webp(file):
            raise DecodeError(
                f"{file.name} is a WebP picture. An animated one cannot be read as a video: "
                "convert it to MP4, WebM or GIF."
            ) from error
        reason = error.strerror or type(error).__name__
        raise DecodeError(
            f"{file.name} cannot be read as a video ({reason}). It may be damaged, incomplete, or not a video."
        ) from error


def _stop_decoder(video: VideoStream) -> None:
    """Wait for the decoder's threads without holding the GIL.

    Freeing a decoder waits for them too, but holds the GIL. If PyAV's logging is on, which torchvision does for the
    whole process, a thread that logs waits for the GIL: a deadlock.
    """
    video.codec_context.flush_buffers()


def _check_picture_size(video: VideoStream, file: Path) -> None:
    """Raise DecodeError for a picture larger than any video, before memory for a frame is allocated."""
    context = video.codec_context
    width, height = context.width or 0, context.height or 0
    # An MP4's header states the size; where FFmpeg then has none, it refused what it would have had to allocate.
    if width * height > MAX_PIXELS or (not width and _is_mp4(file)):
        size = f"{width} × {height}" if width else f"more than {MAX_PIXELS}"
        raise DecodeError(
            f"{file.name} claims to be {size} pixels, more than any video. It is damaged or malicious "
            "and was not decoded."
        )
    # A frame may be larger than the header says.
    cast(Any, context).options = _size_limit()


def _size_limit() -> dict[str, str]:
    return {"max_pixels": str(MAX_PIXELS)}


def open_container(file: Path, **options: str) -> InputContainer:
    """Open a file with the safe options, and with ``options`` for its streams. Raises PyAV's errors."""
    # Metadata that is not UTF-8 must not prevent reading. PyAV 19 handles it itself.
    arguments: dict[str, Any] = {"metadata_errors": "replace"} if pyav_version() < 19 else {}
    if _takes_options(file):
        # On opening, FFmpeg decodes the first frames: without the limit a small file takes gigabytes there.
        arguments["options"] = {**_size_limit(), **options}
    arguments["container_options"] = dict(SAFE_OPTIONS)
    return cast(InputContainer, cast(Any, av.open)(os.path.abspath(file), **arguments))


def _open_quickly(file: Path) -> InputContainer:
    if not _is_mp4(file) or not _takes_options(file):
        return open_container(file)
    container = open_container(file, **SKIP_PROBING)
    if all(_has_full_header(stream) for stream in container.streams.video):
        return container
    container.close()
    return open_container(file)


def _takes_options(file: Path) -> bool:
    """Whether PyAV can give options to the file's streams. Where it cannot, that crashes the process.

    Before 17.1 PyAV writes beyond an array if a file has more streams than its header lists, as FLV and MPEG-TS do. 17
    crashes on other files, too.
    """
    version, start = pyav_version(), _first_bytes(file)
    return version >= 18 or (version < 17 and (start[:4] in _LISTING_MAGIC or start[4:8] in _BOXES))


def _is_mp4(file: Path) -> bool:
    return _first_bytes(file)[4:8] == b"ftyp"


def _is_webp(file: Path) -> bool:
    return _first_bytes(file)[8:] == b"WEBP"


def _first_bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as beginning:
            return beginning.read(12)
    except OSError:
        return b""  # opening it reports the reason


def _has_full_header(stream: VideoStream) -> bool:
    """Whether the header has all that decoding needs: the picture's size, and H.264's frame reordering.

    A reordering of 0 may also mean that it is unknown; a decoder could then output the first frames in wrong order.
    """
    context: Any = stream.codec_context
    if context is None or context.name != "h264":
        return False
    return bool(getattr(context, "has_b_frames", False) and context.width and context.height)


def _file_size(file: Path) -> int:
    if not file.is_file():
        raise DecodeError(f"File not found: {file.name}.")
    try:
        size = file.stat().st_size
    except OSError as error:
        raise DecodeError(f"{file.name} cannot be read: {error.strerror}.") from error
    if size == 0:
        raise DecodeError(f"{file.name} is empty (0 bytes). Download it again.")
    return size


def _find_video(container: InputContainer, name: str) -> VideoStream:
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        has = "sound, but no video" if container.streams.audio else "no video"
        raise DecodeError(f"{name} contains {has}.")
    for stream in streams:
        if _has_decoder(stream):
            return stream
    raise DecodeError(f"{name} uses a video codec that FFmpeg cannot decode here. Convert it to H.264.")


def _find_audio(container: InputContainer) -> AudioStream | None:
    """The default sound track, as players choose it, else the first."""
    streams = [stream for stream in container.streams.audio if _has_decoder(stream)]
    return next((stream for stream in streams if stream.disposition & Disposition.default), next(iter(streams), None))


def _has_decoder(stream: VideoStream | AudioStream) -> bool:
    # PyAV sets no context if FFmpeg has no decoder, unlike its stubs say.
    context: Any = stream.codec_context
    return context is not None


def decode_packet(packet: Packet[Any]) -> list[Any]:
    """The frames that the decoder returns for ``packet``; none if it is damaged."""
    try:
        return packet.decode()
    except InvalidDataError:
        return []


def pyav_version() -> int:
    """The major version of PyAV. Versions 14 to 19 are supported."""
    return int(av.__version__.split(".")[0])


def fraction(value: Any) -> Fraction | None:
    """A rational number of PyAV as a Fraction; None if it is not set or not positive.

    PyAV up to 18 uses Fraction or None; from 19 on a type of its own, in which 0 means not set.
    """
    if not value:
        return None
    exact = Fraction(int(value.numerator), int(value.denominator))
    return exact if exact > 0 else None


def frame_rate(video: VideoStream) -> Fraction | None:
    """Frames per second by the header: the average rate, else FFmpeg's guess, else None."""
    return fraction(video.average_rate) or fraction(video.guessed_rate)


def is_read_in_order(source: OpenVideo) -> bool:
    """Whether seeking would change the packets' times: MPEG program streams lack most, and FFmpeg derives them."""
    return source.container.format.name == "mpeg"


def pixel_aspect(video: VideoStream) -> Fraction | None:
    """Width by height of a stored pixel; None for square ones."""
    aspect = fraction(video.sample_aspect_ratio)
    return None if aspect == 1 else aspect


def stream_duration(source: OpenVideo) -> Fraction | None:
    """The video stream's duration in seconds by the header, else the file's; None if neither is known."""
    base = fraction(source.video.time_base)
    if source.video.duration and base:
        return source.video.duration * base
    return file_duration(source) or None


def file_duration(source: OpenVideo) -> Fraction:
    """The seconds from the beginning of the first stream to the end of the last by the header; 0 if unknown."""
    container = source.container
    length = container.duration or 0
    if "matroska" in container.format.name:
        length -= container.start_time or 0  # counted from 0
    return Fraction(max(length, 0), av.time_base)


def header_frame_count(source: OpenVideo) -> tuple[int, bool]:
    """The number of frames by the header, and whether it is exact.

    If not, it is duration times rate; where the header lacks these, the number of packets in the file.
    """
    if source.video.frames > 0:
        return source.video.frames, True
    duration, rate = stream_duration(source), frame_rate(source.video)
    if duration and rate and rate <= MAX_RATE:
        return max(1, round(duration * rate)), False
    return max(1, _count_packets(Path(source.container.name), source.video.index)), False


def _count_packets(file: Path, stream: int) -> int:
    with closing(open_container(file)) as container:
        return sum(1 for packet in container.demux(container.streams[stream]) if packet.size)
