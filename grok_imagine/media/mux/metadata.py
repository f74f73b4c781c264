"""Writes and reads the metadata that says how a clip was made. The streams are copied unchanged.

The facts are JSON under one key of the MP4's metadata (an ``mdta`` item of ``moov/meta``, as in QuickTime). ComfyUI's
Save Video keeps it, and adds the workflow under ``workflow`` and ``prompt``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import closing, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from av.container import InputContainer, OutputContainer
from av.error import FFmpegError

from ...errors import DecodeError, EncodeError
from ...filelock import partial_file
from ..open import open_container, open_video
from .mp4_writer import OPTIONS, copy_stream, new_mp4

KEY = "grok_imagine"
_OF_THE_FILE = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})
"""Written by the muxer; it describes the file, not the clip."""
_FACTS = frozenset({KEY, "description"})
"""What :func:`stamp` writes."""
KEEPS_METADATA = {**OPTIONS, "movflags": "use_metadata_tags+faststart"}
"""Options of an MP4 that can hold any metadata."""
Packet = tuple[int, Fraction | None, Fraction, bool]


def stamp(path: Path, facts: Mapping[str, Any], description: str = "") -> None:
    """Write ``facts`` into the MP4, atomically. Raises EncodeError; then the file is unchanged.

    The copy replaces the file only if every packet, its times and the codec data are equal.
    """
    try:
        with partial_file(path) as part:
            _copy(path, part, {KEY: json.dumps(facts, ensure_ascii=False), "description": description})
            if _content(path) != _content(part):
                raise EncodeError(
                    "a copy of the clip with its metadata would differ from the clip, so it was left as it is"
                )
            with part.open("rb+") as file:
                os.fsync(file.fileno())
    except EncodeError:
        raise
    except Exception as error:  # of any kind: the paid clip matters more than its metadata
        raise EncodeError(f"metadata cannot be written into the clip: {type(error).__name__}: {error}") from error


def copy_without_facts(path: Path, target: Path) -> None:
    """Write the MP4 to ``target`` without the facts and the description. Raises EncodeError."""
    try:
        with partial_file(target) as part:
            _copy(path, part, {}, dropped=_FACTS)
    except (FFmpegError, OSError, ValueError) as error:
        raise EncodeError(f"metadata cannot be removed from the clip: {type(error).__name__}: {error}") from error


def read(path: Path) -> dict[str, Any] | None:
    """The facts in an MP4, or None. Raises DecodeError if the file cannot be opened."""
    try:
        with closing(open_container(path)) as container:
            text = container.metadata.get(KEY)
    except (FFmpegError, OSError, ValueError) as error:
        raise DecodeError(f"{path.name} cannot be opened: {error}") from error
    with suppress(ValueError, TypeError, RecursionError):
        facts: object = json.loads(text or "")
        if isinstance(facts, dict):
            return cast("dict[str, Any]", facts)
    return None


def read_all(path: Path) -> dict[str, str]:
    """All metadata of a video but the muxer's own. Raises DecodeError if it cannot be opened."""
    with open_video(path) as source:
        return _own_metadata(source.container)


def _own_metadata(clip: InputContainer) -> dict[str, str]:
    return {name: value for name, value in clip.metadata.items() if name.lower() not in _OF_THE_FILE}


def _copy(source: Path, target: Path, metadata: Mapping[str, str], *, dropped: frozenset[str] = frozenset()) -> None:
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(open_container(source)) as clip:
        options = {"movflags": "use_metadata_tags+faststart"}
        for stream in clip.streams.video[:1]:
            # PyAV 14 cannot set a stream's time base. Without this option the times would be rounded.
            options["video_track_timescale"] = str((stream.time_base or Fraction(1, 90000)).denominator)
        kept = {name: value for name, value in _own_metadata(clip).items() if name not in dropped}
        with new_mp4(target, options) as copy:
            copy.metadata.update({**kept, **metadata})
            _copy_streams(clip, copy)


def _copy_streams(clip: InputContainer, copy: OutputContainer) -> None:
    streams: dict[int, Any] = {}
    for stream in clip.streams:
        if stream.type not in ("video", "audio"):
            raise EncodeError(f"the clip contains a stream of the type {stream.type!r}, which cannot be copied")
        target: Any = copy_stream(copy, cast("Any", stream))
        target.metadata.update(stream.metadata)
        streams[stream.index] = target
    for packet in clip.demux():
        if packet.dts is not None:  # the last packet of each stream is empty
            packet.stream = streams[packet.stream_index]
            copy.mux(packet)


def _content(path: Path) -> list[tuple[Any, ...]]:
    """The codecs, sizes, and each packet's times and bytes."""
    with closing(open_container(path)) as container:
        kinds: list[tuple[Any, ...]] = [_kind(stream) for stream in container.streams]
        packets: dict[int, Any] = {stream.index: hashlib.sha256() for stream in container.streams}
        times: dict[int, list[Packet]] = {stream.index: [] for stream in container.streams}
        for packet in container.demux():
            if packet.dts is None:
                continue
            base = packet.time_base
            shown = None if packet.pts is None else packet.pts * base
            packets[packet.stream_index].update(bytes(packet))
            times[packet.stream_index].append((packet.size, shown, packet.dts * base, packet.is_keyframe))
    return [*kinds, *((index, digest.hexdigest(), times[index]) for index, digest in packets.items())]


def _kind(stream: Any) -> tuple[Any, ...]:
    context = stream.codec_context
    return (
        stream.type,
        context.name,
        bytes(context.extradata or b""),
        getattr(stream, "width", 0),
        str(stream.duration),
    )
