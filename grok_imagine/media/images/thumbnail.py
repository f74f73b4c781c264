"""A thumbnail of a video, for lists: one frame from its middle, as a JPEG."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from av.video.frame import VideoFrame
from PIL import Image

from ...errors import DecodeError
from ...filelock import partial_file
from ...private_files import private_folder
from ..open import OpenVideo, open_video, stream_duration
from ..orientation import Orientation
from ..probe import first_frame

LONGEST_SIDE = 256
_QUALITY = 80


def thumbnail(video: Path, picture: Path) -> Path:
    """Write the JPEG of ``video`` to ``picture``, unless one newer than the video exists, and return its path.

    Blocks while it decodes one key frame. Raises DecodeError.
    """
    try:
        if picture.stat().st_mtime_ns >= video.stat().st_mtime_ns:
            return picture
    except OSError:
        pass
    with open_video(video) as source:
        frame = _middle(source)
        pixels = Orientation.from_frame(frame).apply(cast(Any, frame.to_ndarray(format="rgb24")))
    small = Image.fromarray(pixels)
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    private_folder(picture.parent)
    try:
        with partial_file(picture) as part:
            small.save(part, format="JPEG", quality=_QUALITY, optimize=True)
    except OSError as error:
        raise DecodeError(f"The thumbnail of {video.name} cannot be written: {error.strerror or error}.") from error
    return picture


def _middle(source: OpenVideo) -> VideoFrame:
    """The last key frame up to the middle, which can be decoded without others."""
    length = stream_duration(source)
    if length and source.video.time_base:
        source.container.seek(int(length / 2 / source.video.time_base), stream=source.video, backward=True)
    return first_frame(source)
