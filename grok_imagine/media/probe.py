"""Reads a video file's properties without decoding all of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction

from av.video.frame import VideoFrame

from ..errors import DecodeError
from .open import MAX_RATE, OpenVideo, decode_packet, frame_rate, header_frame_count, open_video, stream_duration
from .orientation import Orientation


@dataclass(frozen=True)
class VideoInfo:
    """A video file's properties.

    ``width`` and ``height`` are those of the upright picture in pixels, ``rotation`` is the clockwise rotation in
    degrees that makes it upright. ``rate`` is in frames per second, ``duration`` in seconds. ``frame_count`` is an
    estimate unless ``frame_count_is_exact``. ``codec`` and ``pixel_format`` are FFmpeg's names. ``audio_rate`` and
    ``audio_channels`` are 0 without audio.
    """

    width: int
    height: int
    rotation: int
    rate: Fraction
    frame_count: int
    frame_count_is_exact: bool
    duration: Fraction
    codec: str
    pixel_format: str
    has_audio: bool
    audio_rate: int
    audio_channels: int
    file_bytes: int


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """The properties of the video at ``path``. Decodes one frame to get the orientation.

    Raises DecodeError if the file is missing, empty, not a video, or cannot be decoded.
    """
    with open_video(path) as source:
        frame = first_frame(source)
        orientation = Orientation.from_frame(frame)
        width, height = orientation.size(frame.width, frame.height)
        count, is_exact = header_frame_count(source)
        rate = frame_rate(source.video)
        duration = stream_duration(source) or (count / rate if rate else Fraction(count))
        if rate and rate > MAX_RATE and not is_exact:
            rate = None  # a time base
        audio = source.audio
        return VideoInfo(
            width=width,
            height=height,
            rotation=orientation.degrees,
            rate=rate or count / duration,
            frame_count=count,
            frame_count_is_exact=is_exact,
            duration=duration,
            codec=source.video.codec_context.name,
            pixel_format=frame.format.name,
            has_audio=audio is not None,
            audio_rate=audio.codec_context.sample_rate if audio else 0,
            audio_channels=len(audio.codec_context.layout.channels) if audio else 0,
            file_bytes=source.file_bytes,
        )


def first_frame(source: OpenVideo) -> VideoFrame:
    """The first frame that can be decoded. Raises DecodeError if there is none."""
    for packet in source.container.demux(source.video):
        for frame in decode_packet(packet):
            return frame
    raise DecodeError(f"{source.name} has no frame that can be decoded.")
